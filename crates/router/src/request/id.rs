//! Request ids: the client's where it is sane, else a new one.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use uuid::Uuid;

/// Heroku's bounds for a request id that it keeps, in characters.
const ID_CHARS: std::ops::RangeInclusive<usize> = 20..=200;

/// Whether a client's id is kept.
pub(crate) fn is_sane(id: &HeaderValue) -> bool {
    ID_CHARS.contains(&id.len())
        && id
            .as_bytes()
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_' | b'.'))
}

/// Makes ids that do not repeat, without asking the kernel for randomness each time. They are no secrets.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: u64,
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let (seed, count) = Uuid::new_v4().as_u64_pair();
        Self { seed, count: AtomicU64::new(count) }
    }

    /// A new id, in the form of a random UUID.
    pub(crate) fn next(&self) -> HeaderValue {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (mix(self.seed ^ mix(n)), mix(n.wrapping_add(self.seed)));
        let uuid = uuid::Builder::from_random_bytes(Uuid::from_u64_pair(high, low).into_bytes()).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = uuid.hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// The finaliser of SplitMix64: every bit of the input reaches every bit of the output.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_uuids_and_do_not_repeat() {
        let ids = RequestIds::new();
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let id = ids.next();
            assert!(is_sane(&id));
            let uuid: Uuid = id.to_str().unwrap().parse().unwrap();
            assert_eq!(uuid.get_version_num(), 4);
            assert!(seen.insert(uuid));
        }
    }

    #[test]
    fn insane_ids_are_not_kept() {
        for bad in ["short", "with space and more chars", &"x".repeat(201), "quote\"quote\"quote\"quote"] {
            assert!(!is_sane(&HeaderValue::from_str(bad).unwrap()), "{bad}");
        }
        assert!(is_sane(&HeaderValue::from_static("0123456789abcdefghij")));
    }
}
