//! Where etcd is, and who we are to it.

use std::fmt;
use std::str::FromStr;

use ambo_model::Secret;

/// What keys begin with when nothing else is said.
const PREFIX: &str = "ambo";
/// The scheme of our addresses.
const SCHEME: &str = "etcd://";

/// Settings of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// `host:port` of members, the nearest first.
    pub members: Vec<String>,
    /// What our keys begin with, before a slash: platforms with different ones share an etcd. `ambo` by default.
    pub prefix: String,
    /// TLS, if members want it.
    pub tls: Option<EtcdTls>,
    /// A user and their password, if members want them.
    pub user: Option<(String, Secret)>,
}

/// Certificates, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdTls {
    /// The root that members' certificates come from.
    pub root: String,
    /// Our own certificate and its key, if members want one.
    pub identity: Option<(String, Secret)>,
}

/// An address that is none. It is not repeated, in case there is a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no etcd: write its members, as in etcd://10.0.0.1:2379,10.0.0.2:2379, and a prefix without slashes if others share \
     it: …:2379/ambo"
)]
pub struct SettingsError;

impl FromStr for EtcdSettings {
    type Err = SettingsError;

    /// Takes `etcd://host:port,host:port/prefix`; the port is 2379 when there is none, the prefix `ambo`.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let rest = text.strip_prefix(SCHEME).ok_or(SettingsError)?;
        let (members, prefix) = rest.split_once('/').unwrap_or((rest, PREFIX));
        let members = members.split(',').map(member).collect::<Option<Vec<_>>>().ok_or(SettingsError)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let prefix = if prefix.is_empty() { PREFIX } else { prefix };
        if prefix.len() > 100 || !prefix.chars().all(is_name) {
            return Err(SettingsError);
        }
        Ok(Self { members, prefix: prefix.to_owned(), tls: None, user: None })
    }
}

fn member(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()?),
        _ => (text, 2379),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-.[]:".contains(c);
    (!host.is_empty() && host.chars().all(is_host)).then(|| format!("{host}:{port}"))
}

impl fmt::Display for EtcdSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.members.join(","), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_a_port_and_share_a_prefix() {
        let parsed: EtcdSettings = "etcd://a,b:2380,[::1]:4001,[::2]".parse().unwrap();
        assert_eq!(parsed.members, ["a:2379", "b:2380", "[::1]:4001", "[::2]:2379"]);
        assert_eq!(parsed.prefix, "ambo");
        let parsed: EtcdSettings = "etcd://10.0.0.1:2379/prod".parse().unwrap();
        assert_eq!(parsed.to_string(), "etcd://10.0.0.1:2379/prod");
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            "etcd://",
            "etcd://a,,b",
            "etcd://a:port",
            "http://a:2379",
            "etcd://a/b c",
            "etcd://a/b/c",
            "etcd://u:word@a",
        ] {
            let refused = text.parse::<EtcdSettings>().unwrap_err().to_string();
            assert!(refused.contains("etcd://10.0.0.1:2379") && !refused.contains("word"), "{refused}");
        }
    }
}
