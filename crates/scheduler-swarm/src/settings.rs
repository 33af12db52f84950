//! What an operator sets.

use std::time::Duration;

use ambo_scheduler_docker::DockerSchedulerSettings;

/// Settings of the driver.
#[derive(Debug, Clone)]
pub struct SwarmSchedulerSettings {
    /// The platform's id, and what every instance is given, as on one machine. `network` is not looked at: every app has
    /// one of its own. A login for pulls stays with the service for as long as it lives, since Swarm pulls when it moves an
    /// instance: it must not be short-lived.
    pub docker: DockerSchedulerSettings,
    /// The term in which this control plane was elected. Later ones have higher numbers, and a driver that sees one
    /// refuses to act.
    pub epoch: u64,
    /// How long Swarm waits before it starts what has crashed once more. It does not grow.
    pub restart_delay: Duration,
    /// The grace period of what Swarm itself stops: on a node that is drained. What we stop has the caller's.
    pub stop_grace: Duration,
}

impl SwarmSchedulerSettings {
    /// The defaults, for the platform of this id and the control plane of this term.
    #[must_use]
    pub fn new(platform: impl Into<String>, epoch: u64) -> Self {
        Self {
            docker: DockerSchedulerSettings::new(platform),
            epoch,
            restart_delay: Duration::from_secs(5),
            stop_grace: Duration::from_secs(30),
        }
    }
}
