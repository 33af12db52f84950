//! Certificates by server name.

use std::collections::HashMap;
use std::sync::Arc;

use ambo_model::Hostname;
use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate chain with its key, and the hosts that it is shown for.
#[derive(Debug, Clone)]
pub struct Certificate {
    hosts: Vec<Hostname>,
    key: Arc<CertifiedKey>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The text holds no certificate.
    #[error("read the certificate: give a chain in PEM form, the host's own certificate first")]
    Chain(#[source] rustls_pki_types::pem::Error),
    /// The text holds no certificate at all.
    #[error("the certificate chain is empty: give it in PEM form, the host's own certificate first")]
    ChainEmpty,
    /// The text holds no key.
    #[error("read the private key: give it in PEM form, not encrypted")]
    Key(#[source] rustls_pki_types::pem::Error),
    /// The key is of a kind that is not supported, or does not belong to the certificate.
    #[error("the private key does not fit the certificate: give the key that it was issued for")]
    Mismatch(#[source] rustls::Error),
    /// TLS cannot be set up.
    #[error("set up TLS")]
    Setup(#[source] rustls::Error),
}

impl Certificate {
    /// The chain with its key, for other servers of the platform.
    #[must_use]
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    /// Reads a chain and its key. That they belong together is checked.
    ///
    /// # Errors
    /// When either cannot be read, or they do not fit.
    pub fn from_pem(hosts: Vec<Hostname>, chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(CertificateError::Chain)?;
        if chain.is_empty() {
            return Err(CertificateError::ChainEmpty);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(CertificateError::Mismatch)?;
        Ok(Self { hosts, key: Arc::new(key) })
    }
}

/// Chooses a certificate for each handshake: the name's own, a wildcard's, the default.
#[derive(Debug)]
pub(crate) struct Certificates {
    default: ArcSwapOption<CertifiedKey>,
    by_host: ArcSwap<HashMap<Box<str>, Arc<CertifiedKey>>>,
}

impl Certificates {
    pub(crate) fn new(default: Option<Certificate>) -> Self {
        Self { default: ArcSwapOption::new(default.map(|certificate| certificate.key)), by_host: ArcSwap::default() }
    }

    pub(crate) fn replace_default(&self, certificate: Certificate) {
        self.default.store(Some(certificate.key));
    }

    pub(crate) fn replace(&self, certificates: Vec<Certificate>) {
        let mut by_host = HashMap::new();
        for Certificate { hosts, key } in certificates {
            for host in hosts {
                by_host.insert(host.as_str().into(), Arc::clone(&key));
            }
        }
        self.by_host.store(Arc::new(by_host));
    }

    fn find(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let by_host = self.by_host.load();
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let wildcard = || by_host.get(format!("*.{}", name.split_once('.')?.1).as_str());
        by_host.get(name.as_str()).or_else(wildcard).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello.server_name().and_then(|name| self.find(name)).or_else(|| self.default.load_full())
    }
}

/// TLS 1.2 and 1.3 on *ring*, HTTP/2 preferred.
pub(crate) fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, CertificateError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
