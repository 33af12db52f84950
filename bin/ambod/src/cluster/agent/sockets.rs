//! The sockets of users' requests, as long as no router has them and beside it when one does.

use std::sync::Arc;

use ambo_router::Listeners;
use parking_lot::Mutex;
use tokio::net::{UnixListener, UnixStream};

use crate::cluster::{meeting, sockets};
use crate::settings::Settings;

/// Gives every router that comes the sockets, or takes those that it has. Runs for as long as it is polled.
pub(super) async fn serve(listener: UnixListener, settings: Settings) {
    let kept = Arc::new(Kept { settings, listeners: Mutex::default() });
    loop {
        let router = meeting::accept(&listener).await;
        let kept = kept.clone();
        // Not ended with this task: a router that is about to get its sockets shall get them.
        tokio::spawn(async move {
            if let Err(error) = kept.exchange(&router).await {
                tracing::error!(error = %crate::message(&error), "the router does not get its sockets");
            }
        });
    }
}

struct Kept {
    settings: Settings,
    listeners: Mutex<Option<Listeners>>,
}

impl Kept {
    async fn exchange(&self, router: &UnixStream) -> anyhow::Result<()> {
        let offered = sockets::receive(router).await?;
        if offered.http.is_empty() {
            let given = self.copies()?;
            return Ok(sockets::send(router, &given).await?);
        }
        // Ours or those of the agent before us: the router accepts on these.
        *self.listeners.lock() = Some(offered);
        // The router asks again when this ends.
        Ok(router.readable().await?)
    }

    /// Copies of the sockets, which are bound the first time.
    fn copies(&self) -> anyhow::Result<Listeners> {
        let mut kept = self.listeners.lock();
        let listeners = match kept.take() {
            Some(listeners) => listeners,
            None => crate::listeners::router(&self.settings)?,
        };
        Ok(kept.insert(listeners).try_clone()?)
    }
}
