//! Where instances run: on the swarm.

use ambo_builder::RegistryLogin;
use ambo_scheduler_docker::DockerSchedulerSettings;
use ambo_scheduler_swarm::{SwarmScheduler, SwarmSchedulerSettings};
use std::sync::Arc;

use super::engines::ClusterEngines;
use super::joiners::RouterJoiners;
use crate::adapters::OwnRegistryLogin;
use crate::data::Data;
use crate::settings::Settings;

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
    let swarm = SwarmSchedulerSettings { docker, ..SwarmSchedulerSettings::new(data.platform_id()?, term) };
    Ok(SwarmScheduler::new(engines.managers().await?, Arc::new(engines.clone()), Arc::new(joiners), swarm))
}
