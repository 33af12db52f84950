//! What an operator sets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{ByteSize, ImageReference, Limits, Secret};
use async_trait::async_trait;

/// A name and password for a registry, short-lived.
#[derive(Debug, Clone)]
pub struct RegistryLogin {
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: Secret,
}

/// Logs the engine in where it pulls images.
#[async_trait]
pub trait RegistryLogins: Send + Sync + 'static {
    /// A login for the image's registry; `None` pulls without one.
    async fn login(&self, image: &ImageReference) -> Option<RegistryLogin>;
}

/// Settings of the driver.
#[derive(Clone)]
pub struct DockerSchedulerSettings {
    /// Tells this platform's instances from those of others on the same engine.
    pub platform: String,
    /// The bridge network that instances are on. Made when it is not there.
    pub network: String,
    /// How long a one-off instance whose user has gone may take to end.
    pub run_grace: Duration,
    /// Most processes and threads of one instance.
    pub pids_max: u32,
    /// What an instance without limits of its own may use.
    pub limits_default: Limits,
    /// Largest file of an instance's output that the engine keeps.
    pub log_file_size: ByteSize,
    /// How many such files per instance.
    pub log_file_count: u32,
    /// Logins for pulls.
    pub logins: Option<Arc<dyn RegistryLogins>>,
}

impl DockerSchedulerSettings {
    /// The defaults, for the platform of this id.
    #[must_use]
    pub fn new(platform: impl Into<String>) -> Self {
        Self {
            platform: platform.into(),
            network: "ambo".to_owned(),
            run_grace: Duration::from_secs(10),
            pids_max: 4096,
            limits_default: Limits::default(),
            log_file_size: ByteSize::mib(10),
            log_file_count: 3,
            logins: None,
        }
    }
}

impl fmt::Debug for DockerSchedulerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerSchedulerSettings")
            .field("platform", &self.platform)
            .field("network", &self.network)
            .field("run_grace", &self.run_grace)
            .field("pids_max", &self.pids_max)
            .field("limits_default", &self.limits_default)
            .field("log_file_size", &self.log_file_size)
            .field("log_file_count", &self.log_file_count)
            .field("logins", &self.logins.is_some())
            .finish()
    }
}
