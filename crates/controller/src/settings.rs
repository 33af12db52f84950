//! Settings of the control plane.

use std::time::Duration;

use ambo_builder::{BuildLimits, RegistryLogin};
use ambo_model::{AppName, Hostname};

/// What the control plane must be told.
#[derive(Debug, Clone)]
pub struct ControllerSettings {
    /// Apps are hosts below this name.
    pub domain: Hostname,
    /// Hosts of the platform itself, which no app may claim.
    pub platform_hosts: Vec<Hostname>,
    /// `http` or `https`: how users reach apps.
    pub web_scheme: String,
    /// The port that users reach apps at; left out of URLs when it is the scheme's own.
    pub web_port: u16,
    /// Where the engine finds our registry: `127.0.0.1:7050`.
    pub registry: String,
    /// How the builder and the engine log in there.
    pub registry_login: RegistryLogin,
    /// Builds side by side.
    pub builds_max: usize,
    /// Bounds of one build.
    pub build_limits: BuildLimits,
    /// From SIGTERM to SIGKILL, and the longest wait for requests in flight.
    pub grace: Duration,
    /// Longest release phase.
    pub release_phase_max: Duration,
    /// How long a deploy waits for the one before it.
    pub deploy_wait: Duration,
    /// How many of an app's newest releases keep their images.
    pub releases_kept: usize,
    /// Says which addresses logs are not sent to.
    pub drain_guard: ambo_logs::drain::AddressGuard,
}

impl ControllerSettings {
    /// Where users reach an app.
    #[must_use]
    pub fn web_url(&self, app: &AppName) -> String {
        let port = match (self.web_scheme.as_str(), self.web_port) {
            ("http", 80) | ("https", 443) => String::new(),
            (_, port) => format!(":{port}"),
        };
        format!("{}://{app}.{}{port}/", self.web_scheme, self.domain)
    }

    /// The repository of an app in our registry, as the engine names it.
    #[must_use]
    pub fn repository(&self, app: &AppName) -> String {
        format!("{}/{app}", self.registry)
    }
}
