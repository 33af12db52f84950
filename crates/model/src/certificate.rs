//! Certificates: what an app proves its domains with.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AppId, CertificateId};
use crate::name::Hostname;

/// A certificate of an app, without its private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its id.
    pub id: CertificateId,
    /// Whose.
    pub app: AppId,
    /// What users call it; unique in the app.
    pub name: String,
    /// The chain, PEM, the app's own certificate first.
    pub chain: String,
    /// What the certificate says.
    pub facts: CertificateFacts,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last replaced.
    pub updated_at: Timestamp,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// The hosts it is for. At least one.
    pub hosts: Vec<Hostname>,
    /// Whom it is about.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// From when it is good.
    pub starts_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Whether it is its own issuer.
    pub is_self_signed: bool,
    /// Whether the chain leads to a root that this machine trusted when it was added.
    pub is_trusted: bool,
}

impl CertificateFacts {
    /// Whether a client that asks for `host` takes this certificate for it. A wildcard stands for one label, as in browsers.
    #[must_use]
    pub fn covers(&self, host: &Hostname) -> bool {
        self.hosts.iter().any(|own| own == host || is_below(own, host))
    }

    /// Whether it names the host itself, not by a wildcard.
    #[must_use]
    pub fn names(&self, host: &Hostname) -> bool {
        self.hosts.contains(host)
    }
}

fn is_below(wildcard: &Hostname, host: &Hostname) -> bool {
    let Some(zone) = wildcard.as_str().strip_prefix("*.") else { return false };
    !host.is_wildcard() && host.as_str().split_once('.').is_some_and(|(_, rest)| rest == zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_one_label() {
        let host = |text: &str| Hostname::parse(text).unwrap();
        let facts = CertificateFacts {
            hosts: vec![host("*.example.com"), host("example.org")],
            subject: String::new(),
            issuer: String::new(),
            starts_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
            is_self_signed: false,
            is_trusted: false,
        };
        for covered in ["www.example.com", "*.example.com", "example.org"] {
            assert!(facts.covers(&host(covered)), "{covered}");
        }
        for other in ["example.com", "a.b.example.com", "www.example.org", "*.example.org", "*.b.example.com"] {
            assert!(!facts.covers(&host(other)), "{other}");
        }
    }
}
