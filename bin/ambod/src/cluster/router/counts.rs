//! What the router has counted, for whoever asks at its socket: the agent.

use std::sync::Arc;

use ambo_link::frames::Frame;
use ambo_metrics::RequestCounts;
use ambo_router::RouterHandle;
use tokio::net::UnixListener;

use crate::cluster::meeting;
use crate::metrics::sample_of_router;

/// Tells whoever connects, then closes. Runs for as long as it is polled.
pub(super) async fn serve(listener: UnixListener, router: RouterHandle, counts: Arc<RequestCounts>) {
    loop {
        let mut asker = meeting::accept(&listener).await;
        let sample = sample_of_router(&router, &counts);
        // Ends with whoever asks.
        tokio::spawn(async move {
            let told = async { Frame::of(&sample)?.write(&mut asker).await };
            if let Err(error) = told.await {
                tracing::debug!(%error, "the agent has not heard what was counted");
            }
        });
    }
}
