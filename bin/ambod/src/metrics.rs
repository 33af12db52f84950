//! The platform measured: what the control plane counts, and what its nodes say of themselves.

mod app;
mod counted;
mod sampler;

use std::sync::Arc;
use std::time::Duration;

use ambo_api::metrics::{Metrics, MetricsPage};
use ambo_api_types::AppMetrics;
use ambo_controller::Controller;
use ambo_metrics::{NodeReport, Page};
use ambo_model::{AppId, Timestamp};
use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub(crate) use self::counted::CountedLines;
pub(crate) use self::sampler::{Sampler, sample_of_router};

/// For how long a measurement is good: everybody may ask for one of their app, and each goes to all nodes.
const FRESH_DURATION: Duration = Duration::from_secs(1);

/// Asks the nodes.
#[async_trait]
pub(crate) trait NodeSamples: Send + Sync + 'static {
    /// What every node says now; of one that does not answer in time, that it does not.
    async fn reports(&self) -> Vec<NodeReport>;
}

/// Measures, one at a time.
pub(crate) struct PlatformMetrics {
    controller: Arc<Controller>,
    nodes: Arc<dyn NodeSamples>,
    last: Mutex<Option<Measured>>,
}

/// What the nodes said together.
#[derive(Debug, Clone)]
struct Measured {
    reports: Arc<Vec<NodeReport>>,
    at: Timestamp,
    until: Instant,
}

impl PlatformMetrics {
    pub(crate) fn new(controller: Arc<Controller>, nodes: Arc<dyn NodeSamples>) -> Self {
        Self { controller, nodes, last: Mutex::default() }
    }

    /// Those who ask while the nodes are asked wait for the same answer.
    async fn measured(&self) -> Measured {
        let mut last = self.last.lock().await;
        if let Some(measured) = last.as_ref().filter(|measured| Instant::now() < measured.until) {
            return measured.clone();
        }
        let reports = Arc::new(self.nodes.reports().await);
        let measured = Measured { reports, at: self.controller.now(), until: Instant::now() + FRESH_DURATION };
        last.insert(measured).clone()
    }
}

impl std::fmt::Debug for PlatformMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlatformMetrics").finish_non_exhaustive()
    }
}

#[async_trait]
impl Metrics for PlatformMetrics {
    async fn page(&self) -> MetricsPage {
        let nodes = self.measured().await.reports;
        let page = Page { version: env!("CARGO_PKG_VERSION").to_owned(), apps: self.controller.tally(), nodes };
        MetricsPage { content_type: ambo_metrics::CONTENT_TYPE, text: page.text() }
    }

    async fn app(&self, app: AppId) -> AppMetrics {
        let measured = self.measured().await;
        app::app_metrics(app, &measured.reports, measured.at)
    }
}
