//! The platform measured: what the control plane counts, and what its nodes say of themselves.

mod counted;
mod sampler;

use std::sync::Arc;

use ambo_api::metrics::{Metrics, MetricsPage};
use ambo_controller::Controller;
use ambo_metrics::{NodeReport, Page};
use async_trait::async_trait;

pub(crate) use self::counted::CountedLines;
pub(crate) use self::sampler::{Sampler, sample_of_router};

/// Asks the nodes.
#[async_trait]
pub(crate) trait NodeSamples: Send + Sync + 'static {
    /// What every node says now; of one that does not answer in time, that it does not.
    async fn reports(&self) -> Vec<NodeReport>;
}

/// Makes the page.
pub(crate) struct PlatformMetrics {
    pub(crate) controller: Arc<Controller>,
    pub(crate) nodes: Arc<dyn NodeSamples>,
}

impl std::fmt::Debug for PlatformMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlatformMetrics").finish_non_exhaustive()
    }
}

#[async_trait]
impl Metrics for PlatformMetrics {
    async fn page(&self) -> MetricsPage {
        let nodes = self.nodes.reports().await;
        let page = Page { version: env!("CARGO_PKG_VERSION").to_owned(), apps: self.controller.tally(), nodes };
        MetricsPage { content_type: ambo_metrics::CONTENT_TYPE, text: page.text() }
    }
}
