//! What every handler works with.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ambo_controller::Controller;
use ambo_model::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::backups::Backups;
use crate::build_outputs::BuildOutputs;
use crate::log_token::LogTokens;
use crate::metrics::Metrics;
use crate::rate::RateLimits;
use crate::resent::Resent;
use crate::source_fetch;
use crate::sources::Sources;

/// What the API must be told.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The server's version.
    pub version: String,
    /// How clients reach the API, such as `https://ambo.example.com`, without a slash at the end. When `None`, what the
    /// request itself was sent to.
    pub url: Option<String>,
    /// Where git over SSH is served, if it is.
    pub ssh: Option<SshAddress>,
    /// Where Heroku's client attaches to programs, if it can.
    pub rendezvous: Option<RendezvousAddress>,
    /// The certificate of the authority that the platform's own certificates are issued by, PEM; for clients to trust.
    pub authority: Option<String>,
    /// Where uploads lie while they are built. The directory must exist.
    pub uploads: PathBuf,
    /// Largest upload, in bytes.
    pub upload_bytes_max: u64,
    /// Most requests of an account in a minute; any number when 0.
    pub requests_per_minute_max: u32,
}

/// Where git over SSH is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Where Heroku's client attaches to programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RendezvousAddress {
    /// Host; when `None`, the one that the client reaches the API at.
    pub host: Option<String>,
    /// Port.
    pub port: u16,
}

/// The API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    pub(crate) controller: Arc<Controller>,
    pub(crate) settings: Arc<ApiSettings>,
    pub(crate) log_tokens: Arc<LogTokens>,
    pub(crate) sources: Sources,
    pub(crate) outputs: BuildOutputs,
    /// Says which addresses sources are not fetched from.
    pub(crate) source_guard: fn(IpAddr) -> Option<&'static str>,
    pub(crate) rates: Arc<RateLimits>,
    pub(crate) resent: Arc<Resent>,
    pub(crate) backups: Option<Arc<dyn Backups>>,
    pub(crate) metrics: Option<Arc<dyn Metrics>>,
    /// Ends streams that would never end by themselves.
    pub(crate) shutdown: CancellationToken,
}

impl Api {
    /// An API over a control plane. Streams end when `shutdown` is cancelled.
    #[must_use]
    pub fn new(controller: Arc<Controller>, settings: ApiSettings, shutdown: CancellationToken) -> Self {
        Self {
            log_tokens: Arc::new(LogTokens::new(controller.derive_key("log sessions"))),
            outputs: BuildOutputs::new(&settings.uploads, controller.derive_key("build outputs")),
            controller,
            rates: Arc::new(RateLimits::new(settings.requests_per_minute_max)),
            sources: Sources::new(&settings.uploads),
            settings: Arc::new(settings),
            source_guard: source_fetch::refusal,
            resent: Arc::default(),
            backups: None,
            metrics: None,
            shutdown,
        }
    }

    /// The same, with somebody who makes backups.
    #[must_use]
    pub fn with_backups(self, backups: Arc<dyn Backups>) -> Self {
        Self { backups: Some(backups), ..self }
    }

    /// The same, with somebody who measures the platform.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<dyn Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.controller.now()
    }
}
