//! Nudges: something has changed, look now rather than at the next tick.

use std::sync::Arc;

use tokio::sync::Notify;

/// One bell per kind of background work. A nudge before the work looks is kept; several are one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Nudges {
    formations: Arc<Notify>,
    routes: Arc<Notify>,
    health: Arc<Notify>,
    jobs: Arc<Notify>,
    logs: Arc<Notify>,
    drains: Arc<Notify>,
    certificates: Arc<Notify>,
}

impl Nudges {
    /// Wanted counts, or what runs.
    pub(crate) fn formations(&self) {
        self.formations.notify_one();
    }

    /// What routes are made of.
    pub(crate) fn routes(&self) {
        self.routes.notify_one();
    }

    /// A job was enqueued.
    pub(crate) fn jobs(&self) {
        self.jobs.notify_one();
    }

    /// The engine reported a change.
    pub(crate) fn engine_changed(&self) {
        self.formations.notify_one();
        self.health.notify_one();
        self.logs.notify_one();
    }

    /// Where logs go.
    pub(crate) fn drains(&self) {
        self.drains.notify_one();
    }

    pub(crate) async fn drains_nudged(&self) {
        self.drains.notified().await;
    }

    /// What certificates are shown by.
    pub(crate) fn certificates(&self) {
        self.certificates.notify_one();
    }

    pub(crate) async fn certificates_nudged(&self) {
        self.certificates.notified().await;
    }

    pub(crate) async fn formations_nudged(&self) {
        self.formations.notified().await;
    }

    pub(crate) async fn routes_nudged(&self) {
        self.routes.notified().await;
    }

    pub(crate) async fn health_nudged(&self) {
        self.health.notified().await;
    }

    pub(crate) async fn jobs_nudged(&self) {
        self.jobs.notified().await;
    }

    pub(crate) async fn logs_nudged(&self) {
        self.logs.notified().await;
    }
}
