//! Where a drain leads: its URL, read once, and the addresses that it may have.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

/// Longest URL of a drain, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// Port of syslog over TCP.
const SYSLOG_PORT: u16 = 514;
/// Port of syslog over TLS.
const SYSLOG_TLS_PORT: u16 = 6514;

/// Says why an address is no drain's to reach; `None` when it is.
pub type AddressGuard = fn(IpAddr) -> Option<&'static str>;

/// A drain's URL. It may hold credentials: `Debug` and `Display` show scheme, host and port alone.
#[derive(Clone, PartialEq, Eq)]
pub struct DrainUrl {
    url: Url,
    kind: DrainKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DrainKind {
    Syslog,
    SyslogTls,
    Http,
}

/// Why a URL is no drain's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrainUrlError {
    /// It cannot be read.
    #[error(
        "this is no URL: write one such as `syslog+tls://logs.example.com:6514` or `https://user:key@logs.example.com/`"
    )]
    Unreadable,
    /// Its scheme is none of ours.
    #[error("logs are not sent to `{0}:` URLs: use syslog, syslog+tls, https or http")]
    Scheme(String),
    /// It names no host.
    #[error("the URL names no host")]
    NoHost,
    /// A syslog URL has parts that syslog has no use for.
    #[error("a syslog URL is no more than a host and a port: `syslog+tls://logs.example.com:6514`")]
    Surplus,
    /// Its address is refused.
    #[error("{0}: logs are not sent there")]
    Refused(&'static str),
}

impl DrainUrl {
    /// Reads a URL. Names are judged when they are connected to.
    ///
    /// # Errors
    /// When it is no URL that logs can be sent to, or its address is refused by the guard.
    pub fn parse(text: &str, guard: AddressGuard) -> Result<Self, DrainUrlError> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= URL_BYTES_MAX).ok_or(DrainUrlError::Unreadable)?;
        let kind = match url.scheme() {
            "syslog" => DrainKind::Syslog,
            "syslog+tls" => DrainKind::SyslogTls,
            "http" | "https" => DrainKind::Http,
            other => return Err(DrainUrlError::Scheme(other.chars().take(20).collect())),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(DrainUrlError::NoHost);
        }
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.username().is_empty();
        if kind != DrainKind::Http && !(bare && url.password().is_none()) {
            return Err(DrainUrlError::Surplus);
        }
        let parsed = Self { url, kind };
        match parsed.literal().and_then(guard) {
            Some(reason) => Err(DrainUrlError::Refused(reason)),
            None => Ok(parsed),
        }
    }

    /// All of it, credentials included.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn kind(&self) -> DrainKind {
        self.kind
    }

    /// The host as a name or an address, without brackets.
    pub(crate) fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned()
    }

    pub(crate) fn port(&self) -> u16 {
        let default = match self.kind {
            DrainKind::Syslog => SYSLOG_PORT,
            DrainKind::SyslogTls => SYSLOG_TLS_PORT,
            DrainKind::Http => 80,
        };
        self.url.port_or_known_default().unwrap_or(default)
    }

    /// The host's address, when it is one. Hosts of schemes that the URL standard does not know are text to it.
    fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(name) => name.parse().ok(),
        }
    }
}

impl fmt::Display for DrainUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.url.port().map_or_else(String::new, |port| format!(":{port}"));
        write!(f, "{}://{}{port}", self.url.scheme(), self.url.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for DrainUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DrainUrl({self})")
    }
}

/// The addresses of a host that the guard lets pass. Judged after names are resolved: what was judged is connected to.
pub(crate) async fn resolve(host: &str, port: u16, guard: AddressGuard) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let allowed: Vec<SocketAddr> = found.iter().copied().filter(|found| guard(found.ip()).is_none()).collect();
    match found.iter().find_map(|found| guard(found.ip())).filter(|_| allowed.is_empty()) {
        Some(reason) => Err(io::Error::new(io::ErrorKind::PermissionDenied, reason)),
        None if allowed.is_empty() => Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address")),
        None => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: IpAddr) -> Option<&'static str> {
        address.is_loopback().then_some("this is here")
    }

    #[test]
    fn urls_of_all_kinds_are_read_and_show_no_credentials() {
        for (text, shown, port) in [
            ("syslog://logs.example.com", "syslog://logs.example.com", 514),
            ("syslog://logs.example.com:1514", "syslog://logs.example.com:1514", 1514),
            ("syslog+tls://10.0.0.7", "syslog+tls://10.0.0.7", 6514),
            ("https://u:s3cret@logs.example.com/x?key=s3cret", "https://logs.example.com", 443),
            ("http://[2001:db8::1]:8080/s3cret", "http://[2001:db8::1]:8080", 8080),
        ] {
            let url = DrainUrl::parse(text, guard).unwrap();
            assert_eq!((url.to_string().as_str(), url.port()), (shown, port), "{text}");
            assert!(!format!("{url:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_no_drain_is_refused() {
        for bad in [
            "nonsense",
            "ftp://example.com/",
            "file:///etc/passwd",
            "syslog://",
            "syslog://user@example.com",
            "syslog://example.com/path",
            "http://127.0.0.1/",
            "http://2130706433/",
            "syslog://127.0.0.1:514",
            "syslog+tls://[::1]",
        ] {
            assert!(DrainUrl::parse(bad, guard).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_refused_address_is_not_connected_to() {
        assert!(resolve("localhost", 80, guard).await.is_err());
        assert!(!resolve("localhost", 80, |_| None).await.unwrap().is_empty());
    }
}
