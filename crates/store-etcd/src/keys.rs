//! Our keys among those of others: each begins with the platform's prefix and a slash.

use ambo_store::{Entry, Page, Revision};
use bytes::Bytes;
use etcd_client::KeyValue;

/// What the driver's own keys begin with, after the prefix.
const SLOTS: &str = "\0slot/";

/// Puts the prefix before keys, and takes it off again.
#[derive(Debug, Clone)]
pub(crate) struct Keys(String);

impl Keys {
    pub(crate) fn below(prefix: &str) -> Self {
        Self(format!("{prefix}/"))
    }

    /// As etcd has it.
    pub(crate) fn full(&self, key: &str) -> Vec<u8> {
        format!("{}{key}", self.0).into_bytes()
    }

    /// As the port has it.
    pub(crate) fn short(&self, key: &[u8]) -> String {
        String::from_utf8_lossy(key.strip_prefix(self.0.as_bytes()).unwrap_or(key)).into_owned()
    }

    pub(crate) fn entry(&self, found: &KeyValue) -> Entry {
        Entry {
            key: self.short(found.key()),
            value: Bytes::copy_from_slice(found.value()),
            created: revision(found.create_revision()),
            modified: revision(found.mod_revision()),
            is_leased: found.lease() != 0,
        }
    }

    /// The keys that start with `prefix`, from the first to before the second.
    pub(crate) fn span(&self, prefix: &str) -> (Vec<u8>, Vec<u8>) {
        let mut start = self.full(prefix);
        let end = successor(&start);
        if prefix.is_empty() {
            // The driver's own keys come before any of the port's.
            start.push(1);
        }
        (start, end)
    }

    /// A key of the driver's own: no key of the port's has a NUL.
    pub(crate) fn slot(&self, name: &str) -> Vec<u8> {
        self.full(&format!("{SLOTS}{name}"))
    }

    /// All of them, from the first to before the second.
    pub(crate) fn slots(&self) -> (Vec<u8>, Vec<u8>) {
        let start = self.slot("");
        let end = successor(&start);
        (start, end)
    }

    /// Those of them that a page is about.
    pub(crate) fn page(&self, prefix: &str, page: &Page) -> (Vec<u8>, Vec<u8>) {
        let (start, end) = self.span(prefix);
        match &page.after {
            None => (start, end),
            Some(after) if page.descending => (start, end.min(self.full(after))),
            Some(after) => {
                let mut after = self.full(after);
                after.push(0);
                (start.max(after), end)
            }
        }
    }
}

/// The first key after all that start with this one.
fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// Ours for etcd's: its first, 1, is nobody's write.
pub(crate) fn revision(theirs: i64) -> Revision {
    Revision(u64::try_from(theirs).unwrap_or(0).saturating_sub(1))
}

/// etcd's for ours.
pub(crate) fn their_revision(ours: Revision) -> i64 {
    i64::try_from(ours.0.saturating_add(1)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_ends_after_the_last_key_that_starts_so() {
        assert_eq!(successor(b"a/"), b"a0");
        assert_eq!(successor(b"a\xff\xff"), b"b");
    }

    #[test]
    fn the_span_of_all_keys_is_without_the_driver_s_own() {
        let keys = Keys::below("p");
        let (start, end) = keys.span("");
        assert!(start <= keys.full("\u{1}") && keys.full("\u{10FFFF}") < end);
        assert!(keys.slot("x") < start && keys.slots().1 <= start);
    }

    #[test]
    fn a_page_goes_on_after_its_key_in_either_direction() {
        let keys = Keys::below("p");
        let page = |after: &str, descending| Page { after: Some(after.to_owned()), limit: None, descending };
        assert_eq!(keys.page("a/", &page("a/1", false)), (b"p/a/1\0".to_vec(), b"p/a0".to_vec()));
        assert_eq!(keys.page("a/", &page("a/1", true)), (b"p/a/".to_vec(), b"p/a/1".to_vec()));
        assert_eq!(keys.page("b/", &page("a", false)), (b"p/b/".to_vec(), b"p/b0".to_vec()));
    }
}
