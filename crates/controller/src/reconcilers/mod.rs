//! Reconcilers: each takes no input, compares what is wanted with what is observed, and acts. Timer plus nudge.

mod drains;
mod engine;
mod formations;
mod health;
mod images;
mod logs;
mod routes;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::controller::Controller;

impl Controller {
    /// Starts every reconciler in the set.
    pub(crate) fn reconcilers_start(self: &Arc<Self>, set: &mut JoinSet<()>) {
        set.spawn(Arc::clone(self).engine_watch());
        set.spawn(Arc::clone(self).formations_run());
        set.spawn(Arc::clone(self).health_run());
        set.spawn(Arc::clone(self).routes_run());
        set.spawn(Arc::clone(self).certificates_run());
        set.spawn(Arc::clone(self).logs_run());
        set.spawn(Arc::clone(self).drains_run());
        set.spawn(Arc::clone(self).images_run());
    }
}
