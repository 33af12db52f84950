//! Where instances run.

use std::sync::Arc;

use ambo_builder::RegistryLogin;
use ambo_engine_docker::Engine;
use ambo_scheduler::Scheduler;
use ambo_scheduler_docker::DockerScheduler;

use crate::data::Data;
use crate::one_machine::scheduler_settings;
use crate::settings::Settings;

/// The engine of the node whose controller leads.
pub(super) fn scheduler(
    settings: &Settings,
    data: &Data,
    engine: Engine,
    login: &RegistryLogin,
) -> anyhow::Result<Arc<dyn Scheduler>> {
    Ok(Arc::new(DockerScheduler::new(engine, scheduler_settings(settings, data, login)?)))
}
