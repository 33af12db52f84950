//! The `Host` header's value, made comparable.

use ambo_model::name::HOSTNAME_CHARS_MAX;

/// A host as the table knows it: lower-case, without port and trailing dot. Lives on the stack, nothing is allocated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormalHost {
    bytes: [u8; HOSTNAME_CHARS_MAX],
    len: usize,
}

impl NormalHost {
    /// Normalises an authority such as `WWW.Example.com.:8080`. `None` when it cannot be a host: empty, too long, a
    /// character that no host holds, or a port that is no number. Addresses are hosts, only not ones that routes have.
    pub(crate) fn parse(authority: &[u8]) -> Option<Self> {
        let name = without_port(authority)?;
        let name = name.strip_suffix(b".").unwrap_or(name);
        if name.is_empty() || name.len() > HOSTNAME_CHARS_MAX {
            return None;
        }
        let mut host = Self { bytes: [0; HOSTNAME_CHARS_MAX], len: name.len() };
        for (to, from) in host.bytes.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        Some(host)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    /// What remains without the first label: `example.com` of `www.example.com`.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.as_str().split_once('.').map(|(_, parent)| parent)
    }
}

/// Cuts the port off and checks the characters of what is left.
fn without_port(authority: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = authority.strip_prefix(b"[") {
        let end = memchr::memchr(b']', rest)?;
        let address = &rest[..end];
        port_ok(&rest[end + 1..])?;
        let ok = !address.is_empty() && address.iter().all(|b| b.is_ascii_hexdigit() || *b == b':' || *b == b'.');
        return ok.then_some(&authority[..end + 2]);
    }
    let end = memchr::memchr(b':', authority).unwrap_or(authority.len());
    port_ok(&authority[end..])?;
    let name = &authority[..end];
    let ok = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let dots_ok = !name.starts_with(b".") && memchr::memmem::find(name, b"..").is_none();
    (ok && dots_ok).then_some(name)
}

fn port_ok(rest: &[u8]) -> Option<()> {
    match rest.split_first() {
        None => Some(()),
        Some((b':', port)) => (port.len() <= 5 && port.iter().all(u8::is_ascii_digit)).then_some(()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use ambo_model::Hostname;
    use proptest::prelude::*;

    use super::*;

    fn normal(text: &str) -> Option<String> {
        NormalHost::parse(text.as_bytes()).map(|host| host.as_str().to_owned())
    }

    #[test]
    fn case_port_and_trailing_dot_do_not_matter() {
        for text in
            ["app.example.com", "APP.Example.COM", "app.example.com.", "app.example.com:7000", "App.example.com.:1"]
        {
            assert_eq!(normal(text).as_deref(), Some("app.example.com"), "{text}");
        }
        assert_eq!(normal("[::1]:7000").as_deref(), Some("[::1]"));
        assert_eq!(normal("127.0.0.1:80").as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = "a".repeat(254);
        for bad in [
            "", ".", ":80", "a b", "a/b", "a@b", "a:b", "a:1:2", "a:123456", "[::1", "[]", "a..b", ".a", "ä", "a,b",
            "a\0", &long,
        ] {
            assert_eq!(normal(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_hostname_that_the_model_accepts_normalises_to_itself(
            name in "[a-zA-Z0-9]{1,8}(-[a-z0-9]{1,4})?(\\.[a-zA-Z][a-zA-Z0-9]{0,8}){1,4}", port in proptest::option::of(0u16..),
        ) {
            let hostname = Hostname::parse(&name).unwrap();
            let dotted = format!("{name}.{}", port.map(|p| format!(":{p}")).unwrap_or_default());
            prop_assert_eq!(normal(&dotted), Some(hostname.as_str().to_owned()));
        }

        #[test]
        fn normalising_is_idempotent_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(host) = NormalHost::parse(&bytes) {
                let text = host.as_str().to_owned();
                prop_assert!(!text.is_empty());
                prop_assert!(!text.bytes().any(|b| b.is_ascii_uppercase()));
                if !text.ends_with('.') {
                    prop_assert_eq!(normal(&text), Some(text));
                }
            }
        }
    }
}
