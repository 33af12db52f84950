//! Which server.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Why a text names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a server: write it as in `https://ambo.example.com` or `http://127.0.0.1:7080`")]
pub struct HostError(pub String);

/// A server's address: scheme, name and port, without a path. Equal hosts print equally, so the text serves as a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    base: Url,
}

impl Host {
    /// The address with `path` behind it; `path` starts with `/` and is encoded already.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.base.scheme()
    }

    /// The name alone, without the port.
    #[must_use]
    pub fn name(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// Name and port as git's credential protocol writes them: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.base.port() {
            Some(port) => format!("{}:{port}", self.name()),
            None => self.name().to_owned(),
        }
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.name())
    }

    /// Whether a token sent to this host can be read on the way: plain HTTP to another machine.
    #[must_use]
    pub fn exposes_tokens(&self) -> bool {
        self.scheme() == "http" && !self.is_loopback()
    }
}

fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

impl FromStr for Host {
    type Err = HostError;

    /// Reads an address. Without a scheme, this machine's own names mean `http` and all others `https`.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let refused = || HostError(text.to_owned());
        let text_trimmed = text.trim();
        let complete = if text_trimmed.contains("://") {
            text_trimmed.to_owned()
        } else {
            let probe = Url::parse(&format!("http://{text_trimmed}")).map_err(|_| refused())?;
            let scheme = if is_loopback(probe.host_str().unwrap_or_default()) { "http" } else { "https" };
            format!("{scheme}://{text_trimmed}")
        };
        let base = Url::parse(&complete).map_err(|_| refused())?;
        let plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none()
            && base.path() == "/";
        let known = matches!(base.scheme(), "http" | "https") && base.host_str().is_some_and(|name| !name.is_empty());
        if plain && known { Ok(Self { base }) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_hosts_print_equally() {
        for (text, printed) in [
            ("http://127.0.0.1:7080", "http://127.0.0.1:7080"),
            ("http://127.0.0.1:7080/", "http://127.0.0.1:7080"),
            ("HTTPS://Ambo.Example.com:443/", "https://ambo.example.com"),
            ("ambo.example.com", "https://ambo.example.com"),
            ("localhost:7080", "http://localhost:7080"),
            ("127.0.0.1:7080", "http://127.0.0.1:7080"),
            ("[::1]:7080", "http://[::1]:7080"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for text in ["", "ftp://x", "http://", "http://a/b", "http://u:p@a", "http://a?x", "a b", "ssh://git@a:22"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_plain_http_to_another_machine_exposes_tokens() {
        let exposes = |text: &str| text.parse::<Host>().unwrap().exposes_tokens();
        assert!(exposes("http://ambo.example.com"));
        assert!(!exposes("https://ambo.example.com"));
        assert!(!exposes("http://127.0.0.1:7080"));
        assert!(!exposes("http://api.localhost:7080"));
    }
}
