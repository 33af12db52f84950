//! What runs, and how it is stopped.

use std::sync::Arc;
use std::time::Duration;

use ambo_controller::Controller;
use ambo_logs::LogStore;
use ambo_router::Router;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The control plane and its servers: everything that must have let go of the data directory before a successor serves.
pub(crate) struct Control {
    controller: Arc<Controller>,
    roles: JoinSet<&'static str>,
    accepting: CancellationToken,
    logs: Arc<LogStore>,
}

/// The router, apart from the rest, since it goes on during a restart.
pub(crate) struct RunningRouter {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Control {
    /// Runs the control plane. Its servers are added with [`Control::add`].
    pub(crate) fn start(controller: Arc<Controller>, logs: Arc<LogStore>) -> Self {
        let (roles, accepting) = (JoinSet::new(), CancellationToken::new());
        let mut control = Self { controller: controller.clone(), roles, accepting, logs: logs.clone() };
        // Until the very end: whatever is still said is kept.
        control.add("logs", async move { logs.run(CancellationToken::new()).await });
        control.add("control plane", controller.run());
        control
    }

    /// Cancelled when nothing more is to be accepted.
    pub(crate) fn accepting(&self) -> CancellationToken {
        self.accepting.clone()
    }

    /// Runs a role. None of them should end before [`Control::stop`].
    pub(crate) fn add(&mut self, name: &'static str, role: impl Future<Output = ()> + Send + 'static) {
        self.roles.spawn(async move {
            role.await;
            name
        });
    }

    /// Resolves with the name of a role that has ended by itself, which none should.
    pub(crate) async fn ended(&mut self) -> &'static str {
        match self.roles.join_next().await {
            Some(Ok(role)) => role,
            Some(Err(_)) | None => "a role that panicked",
        }
    }

    /// Accepts nothing more, cancels deploys, hands jobs back, ends every role; whatever is left at the deadline is cut.
    pub(crate) async fn stop(mut self, deadline: Duration) {
        self.controller.stop();
        self.accepting.cancel();
        let ended = async {
            self.controller.stopped().await;
            while self.roles.len() > 1 {
                let _ = self.roles.join_next().await;
            }
        };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            tracing::warn!(roles = self.roles.len(), "the deadline has passed: what is left is cut");
        }
        self.logs.flush().await;
        self.roles.shutdown().await;
    }
}

impl RunningRouter {
    /// Runs it.
    pub(crate) fn start(router: Router) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::task::spawn(async move {
            match router.run(stopped.cancelled_owned()).await {
                Ok(stopped) if stopped.cut_off > 0 => {
                    tracing::warn!(connections = stopped.cut_off, "cut off at the end")
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "the router has failed"),
            }
        });
        Self { stop, task }
    }

    /// Resolves when the router has ended by itself, which it should not.
    pub(crate) async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Accepts nothing more and finishes what is in flight.
    pub(crate) async fn stop(self, deadline: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(deadline, self.task).await.is_err() {
            tracing::warn!("the deadline has passed: the router is cut");
        }
    }
}
