//! Where instances run: on the swarm.

use std::sync::Arc;
use std::time::Duration;

use ambo_builder::RegistryLogin;
use ambo_scheduler_docker::DockerSchedulerSettings;
use ambo_scheduler_swarm::{SwarmScheduler, SwarmSchedulerSettings};

use super::engines::ClusterEngines;
use super::joiners::RouterJoiners;
use crate::adapters::OwnRegistryLogin;
use crate::data::Data;
use crate::settings::Settings;

/// Swarm waits for as long before it starts elsewhere what a dead node had, too.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// The driver, for the leader of this term.
pub(super) async fn scheduler(
    settings: &Settings,
    data: &Data,
    engines: &ClusterEngines,
    joiners: RouterJoiners,
    login: &RegistryLogin,
    term: u64,
) -> anyhow::Result<SwarmScheduler> {
    let docker = DockerSchedulerSettings {
        logins: Some(Arc::new(OwnRegistryLogin {
            registry: settings.listen_registry.to_string(),
            username: login.username.clone(),
            password: login.password.clone(),
        })),
        ..DockerSchedulerSettings::new(data.platform_id()?)
    };
    let swarm = SwarmSchedulerSettings {
        docker,
        restart_delay: RESTART_DELAY,
        ..SwarmSchedulerSettings::new(data.platform_id()?, term)
    };
    Ok(SwarmScheduler::new(engines.managers().await?, Arc::new(engines.clone()), Arc::new(joiners), swarm))
}
