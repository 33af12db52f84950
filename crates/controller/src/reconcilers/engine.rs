//! Turns the engine's events into nudges. An engine that is away is asked again until it is back.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use crate::controller::Controller;
use crate::error::chain;

/// Events within this time are one nudge.
const SETTLE: Duration = Duration::from_millis(30);
/// Pause before the engine is asked again.
const RETRY: Duration = Duration::from_secs(1);

impl Controller {
    pub(crate) async fn engine_watch(self: Arc<Self>) {
        let mut away = false;
        while !self.stopping.is_cancelled() {
            match self.scheduler.events().await {
                Ok(mut events) => {
                    if std::mem::take(&mut away) {
                        tracing::info!("the container engine is back");
                    }
                    self.nudge.engine_changed();
                    loop {
                        tokio::select! {
                            () = self.stopping.cancelled() => return,
                            event = events.next() => if event.is_none() { break },
                        }
                        tokio::time::sleep(SETTLE).await;
                        self.nudge.engine_changed();
                    }
                }
                Err(error) if !std::mem::replace(&mut away, true) => {
                    tracing::error!(error = %chain(&error), "the container engine is away; apps that run go on");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }
}
