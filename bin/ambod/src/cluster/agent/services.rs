//! What an agent offers to controllers.

use ambo_link::{Accepted, Refusal, Role, Service, Services};
use async_trait::async_trait;

use super::engine::EngineService;
use super::metrics::MetricsService;
use crate::cluster::meeting::Meeting;
use crate::settings::Settings;

/// The node's engine, and what the node measures.
#[derive(Debug)]
pub(super) struct AgentServices {
    engine: EngineService,
    metrics: MetricsService,
}

impl AgentServices {
    pub(super) fn new(settings: &Settings, meeting: &Meeting) -> anyhow::Result<Self> {
        Ok(Self { engine: EngineService::new(settings)?, metrics: MetricsService::new(settings, meeting)? })
    }
}

#[async_trait]
impl Services for AgentServices {
    async fn serve(&self, accepted: Accepted) {
        match (accepted.peer.role, accepted.opening.service) {
            (Role::Controller, Service::Engine) => self.engine.serve(accepted).await,
            (Role::Controller, Service::Metrics) => self.metrics.serve(accepted).await,
            _ => accepted.refuse(Refusal::Forbidden).await,
        }
    }
}
