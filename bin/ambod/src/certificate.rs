//! The certificate of the platform's own hosts: the router shows it when no other fits, and Heroku's client meets it at the
//! rendezvous.
//!
//! It is the operator's, from files that are read again when they change, or else issued by an authority of the platform's
//! own: a root that clients can be told to trust once (`GET /ambo/ca.pem`), while what it issues is renewed.

mod authority;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{Secret, Timestamp};
use ambo_router::Certificate;
use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use self::authority::AuthorityFiles;
use crate::data::Data;
use crate::settings::Settings;

/// How often the certificate is looked after.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Shows a certificate to users from now on.
pub(crate) type CertificateShown = Box<dyn Fn(&PlatformCertificate) + Send + Sync>;

/// A chain and its key, PEM.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pem {
    pub(crate) chain: String,
    pub(crate) key: Secret,
}

/// The platform's certificate and where the next one comes from.
#[derive(Debug)]
pub(crate) struct PlatformCertificate {
    source: Source,
    pem: Pem,
    current: Certificate,
    shown: Arc<Shown>,
}

#[derive(Debug)]
enum Source {
    Files { chain: PathBuf, key: PathBuf },
    Authority(AuthorityFiles),
}

impl Source {
    fn read(&self) -> anyhow::Result<Pem> {
        match self {
            Self::Files { chain, key } => {
                let read =
                    |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("read {}", path.display()));
                Ok(Pem { chain: read(chain)?, key: Secret::new(read(key)?) })
            }
            Self::Authority(authority) => authority.certificate(Timestamp::now()),
        }
    }
}

/// The certificate that is shown to whoever connects, whatever host they name.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl PlatformCertificate {
    /// Reads or issues the certificate.
    pub(crate) fn open(settings: &Settings, data: &Data) -> anyhow::Result<Self> {
        let source = match (settings.tls_certificate.as_str(), settings.tls_key.as_str()) {
            ("", "") => Source::Authority(AuthorityFiles::open(settings, data)?),
            ("", _) | (_, "") => {
                bail!("the settings `tls-certificate` and `tls-key` belong together: give both or none")
            }
            (chain, key) => Source::Files { chain: chain.into(), key: key.into() },
        };
        let pem = source.read().context("use the platform's certificate")?;
        let current = parse(&pem)?;
        let shown = Arc::new(Shown(ArcSwap::new(current.certified_key())));
        Ok(Self { source, pem, current, shown })
    }

    /// As it is now.
    pub(crate) fn current(&self) -> Certificate {
        self.current.clone()
    }

    /// As it is now, with its key.
    pub(crate) fn pem(&self) -> &Pem {
        &self.pem
    }

    /// What clients must trust, if it is ours.
    pub(crate) fn authority(&self) -> Option<&str> {
        match &self.source {
            Source::Files { .. } => None,
            Source::Authority(authority) => Some(authority.root()),
        }
    }

    /// For servers that show it always, and always the newest; `protocols` is what they speak (ALPN).
    pub(crate) fn server_config(&self, protocols: &[&str]) -> anyhow::Result<Arc<ServerConfig>> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("set up TLS")?
            .with_no_client_auth()
            .with_cert_resolver(self.shown.clone());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// Renews what is ours and reads again what is the operator's, until `stop`.
    pub(crate) async fn run(mut self, shown: CertificateShown, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_INTERVAL)).await.is_some() {
            match self.look() {
                Ok(true) => {
                    shown(&self);
                    tracing::info!("the platform's certificate has been renewed");
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(error = %crate::message(&error), "the platform's certificate stays as it was")
                }
            }
        }
    }

    /// Whether there is a new one.
    fn look(&mut self) -> anyhow::Result<bool> {
        let pem = self.source.read()?;
        if pem == self.pem {
            return Ok(false);
        }
        self.current = parse(&pem)?;
        self.pem = pem;
        self.shown.0.store(self.current.certified_key());
        Ok(true)
    }
}

fn parse(pem: &Pem) -> anyhow::Result<Certificate> {
    Certificate::from_pem(Vec::new(), pem.chain.as_bytes(), pem.key.reveal().as_bytes())
        .context("use the platform's certificate")
}
