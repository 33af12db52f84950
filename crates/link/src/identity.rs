//! Who a machine's component is to the others, and what it checks of them.
//!
//! A certificate names two things: `<role>.ambo.internal`, which is what a client asks a server to be, and
//! `<node>.node.ambo.internal`, which says where it runs. Both come from the platform's authority, which nobody else trusts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ambo_model::Secret;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

const DOMAIN: &str = ".ambo.internal";
const NODE_DOMAIN: &str = ".node.ambo.internal";

/// A component's part in the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Decides, or waits to.
    Controller,
    /// Sees to one node.
    Agent,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Agent => "agent",
        }
    }

    /// What a server of this role is called.
    pub(crate) fn server_name(self) -> ServerName<'static> {
        #[allow(clippy::expect_used, reason = "both names are literals that parse")]
        ServerName::try_from(format!("{}{DOMAIN}", self.name())).expect("a role's name is a host name")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        [Self::Controller, Self::Agent].into_iter().find(|role| role.name() == text).ok_or(IdentityError::Names)
    }
}

/// The other end of a stream, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its part.
    pub role: Role,
    /// The node that it runs on, by the engine's id.
    pub node: String,
}

/// What a component shows and whom it believes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

/// Why an identity is none.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A PEM file holds something else.
    #[error("read the certificate, its key or the authority's root: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// TLS does not take it.
    #[error("use the certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// The root is none.
    #[error("use the authority's root")]
    Root(#[from] rustls::server::VerifierBuilderError),
    /// It names no component of a platform.
    #[error("the certificate names no component of this platform")]
    Names,
}

/// The names in the certificate of a component.
#[must_use]
pub fn names(peer: &Peer) -> Vec<String> {
    vec![format!("{}{DOMAIN}", peer.role), format!("{}{NODE_DOMAIN}", peer.node)]
}

impl Identity {
    /// Takes a chain with its key and the authority's root, all PEM.
    ///
    /// # Errors
    /// When they are not what they should be, or do not belong together.
    pub fn from_pem(chain: &str, key: &Secret, root: &str) -> Result<Self, IdentityError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())?;
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(root.as_bytes()) {
            roots.add(root?)?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(chain.clone(), key.clone_key())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

impl Peer {
    /// Reads who a certificate is for. Whether it is good is TLS's to say.
    pub(crate) fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| IdentityError::Names)?;
        let names = parsed.subject_alternative_name().map_err(|_| IdentityError::Names)?.ok_or(IdentityError::Names)?;
        let hosts = names.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(host) => Some(*host),
            _ => None,
        });
        let (mut role, mut node) = (None, None);
        for host in hosts {
            if let Some(named) = host.strip_suffix(NODE_DOMAIN) {
                node = Some(named.to_owned());
            } else if let Some(named) = host.strip_suffix(DOMAIN) {
                role = Some(named.parse()?);
            }
        }
        Ok(Self { role: role.ok_or(IdentityError::Names)?, node: node.ok_or(IdentityError::Names)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_who_and_where() {
        let authority = crate::Authority::generate("0123456789").unwrap();
        let peer = Peer { role: Role::Agent, node: "x1y2z3".to_owned() };
        let life = std::time::Duration::from_secs(60);
        let issued = authority.issue(&names(&peer), true, jiff::Timestamp::now(), life).unwrap();
        let certificate = CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap();
        assert_eq!(Peer::from_certificate(&certificate).unwrap(), peer);
        let stranger = authority.issue(&["example.com".to_owned()], true, jiff::Timestamp::now(), life).unwrap();
        let certificate = CertificateDer::from_pem_slice(stranger.chain.as_bytes()).unwrap();
        assert!(Peer::from_certificate(&certificate).is_err());
        Identity::from_pem(&issued.chain, &issued.key, authority.root()).unwrap();
    }
}
