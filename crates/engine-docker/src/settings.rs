//! Where the engine is.

use std::fmt;
use std::path::PathBuf;

/// Where Docker listens when nobody says otherwise.
pub const SOCKET_DEFAULT: &str = "/var/run/docker.sock";

/// How to reach the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// Its address.
    pub socket: EngineAddress,
}

/// An engine's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAddress {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`, without TLS: only for a socket that nobody else can reach.
    Tcp(String),
}

/// Why an address was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no engine address: write a socket's path, `unix:///path` or `tcp://host:port`")]
pub struct AddressError(String);

impl DockerSettings {
    /// Takes the address as users write it: a path, `unix://…`, `tcp://…` or `http://…`. `None` is Docker's own default;
    /// a caller that honours `DOCKER_HOST` hands its value in.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse(socket: Option<&str>) -> Result<Self, AddressError> {
        let socket = socket.filter(|text| !text.is_empty()).unwrap_or(SOCKET_DEFAULT);
        Ok(Self { socket: EngineAddress::parse(socket)? })
    }

    /// The address that `DOCKER_HOST` names, else Docker's default.
    ///
    /// # Errors
    /// When the variable holds no address.
    pub fn from_environment() -> Result<Self, AddressError> {
        Self::parse(std::env::var("DOCKER_HOST").ok().as_deref())
    }
}

impl EngineAddress {
    fn parse(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://").or(text.starts_with('/').then_some(text)) {
            return if path.starts_with('/') { Ok(Self::Unix(PathBuf::from(path))) } else { Err(refused()) };
        }
        let tcp = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://")).ok_or_else(refused)?;
        let authority = tcp.trim_end_matches('/');
        let (host, port) = authority.rsplit_once(':').ok_or_else(refused)?;
        if host.is_empty() || port.parse::<u16>().is_err() || authority.contains('/') {
            return Err(refused());
        }
        Ok(Self::Tcp(authority.to_owned()))
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paths_or_urls() {
        let address = |text| DockerSettings::parse(Some(text)).map(|settings| settings.socket);
        assert_eq!(DockerSettings::parse(None).unwrap().socket, EngineAddress::Unix(SOCKET_DEFAULT.into()));
        assert_eq!(address("unix:///run/d.sock"), Ok(EngineAddress::Unix("/run/d.sock".into())));
        assert_eq!(address("tcp://127.0.0.1:2375/"), Ok(EngineAddress::Tcp("127.0.0.1:2375".into())));
        for bad in ["docker.sock", "unix://x", "tcp://host", "tcp://:1", "ssh://host", "tcp://host:1/x"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
