//! The port: who measures the platform that the API is of.

use ambo_api_types::AppMetrics;
use ambo_model::AppId;
use async_trait::async_trait;

/// A page of measurements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsPage {
    /// Its media type.
    pub content_type: &'static str,
    /// Its text.
    pub text: String,
}

/// Measures the platform.
#[async_trait]
pub trait Metrics: std::fmt::Debug + Send + Sync + 'static {
    /// All that is measured, now. What does not answer in time is told as such, so that there is always a page.
    async fn page(&self) -> MetricsPage;

    /// What one app uses and how its requests fare, now or a moment ago.
    async fn app(&self, app: AppId) -> AppMetrics;
}
