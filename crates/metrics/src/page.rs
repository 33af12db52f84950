//! All that is known, as one text in the OpenMetrics form, which Prometheus reads.
//!
//! Names end with their unit and counters with `_total`
//! (<https://prometheus.io/docs/practices/naming/>); every sum over nodes, apps or processes is left to whoever reads.

mod families;
mod instances;
mod nodes;
mod platform;
mod router;

use std::fmt;
use std::sync::Arc;

use ambo_model::AppTally;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use self::families::Families;
use crate::sample::NodeSample;

/// The page's media type (OpenMetrics 1.0.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What goes onto a page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The platform's version.
    pub version: String,
    /// Every app.
    pub apps: Arc<Vec<AppTally>>,
    /// Every node that should be there.
    pub nodes: Arc<Vec<NodeReport>>,
}

/// What one node answered.
#[derive(Debug, Clone)]
pub struct NodeReport {
    /// Its name.
    pub node: String,
    /// What it said; none when it did not answer.
    pub sample: Option<NodeSample>,
}

impl Page {
    /// The text. Requests and instances of apps that are no more are left out.
    #[must_use]
    pub fn text(self) -> String {
        let mut registry = Registry::with_prefix("ambo");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // A string takes whatever is written.
        let _ = encode(&mut text, &registry);
        text
    }
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut families = Families::new(encoder);
        platform::encode(self, &mut families)?;
        nodes::encode(&self.nodes, &mut families)?;
        instances::encode(&self.nodes, &mut families)?;
        router::encode(self, &mut families)
    }
}

#[cfg(test)]
mod tests;
