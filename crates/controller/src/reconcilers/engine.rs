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
                        let more = async { while events.next().await.is_some() {} };
                        let have_ended = tokio::time::timeout(SETTLE, more).await.is_ok();
                        self.nudge.engine_changed();
                        if have_ended {
                            break;
                        }
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
