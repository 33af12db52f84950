//! Finds the controller that leads, and asks again whenever it may have changed.

use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::LinkStream;
use crate::client::{LinkClient, LinkError};
use crate::identity::Role;
use crate::opening::{Opening, Refusal};

/// How long a failover may take before whoever waits for it is told.
pub const FAILOVER_MAX: Duration = Duration::from_secs(15);
/// Pause between two rounds in which nobody led.
const PAUSE: Duration = Duration::from_millis(100);

/// The way to the leader among some controllers.
#[derive(Debug)]
pub struct Leader {
    client: LinkClient,
    controllers: Mutex<Vec<SocketAddr>>,
    known: Mutex<Option<SocketAddr>>,
}

impl Leader {
    /// The controllers' links, in any order.
    #[must_use]
    pub fn among(client: LinkClient, controllers: Vec<SocketAddr>) -> Self {
        Self { client, controllers: Mutex::new(controllers), known: Mutex::new(None) }
    }

    /// Replaces the list of controllers.
    pub fn controllers_set(&self, controllers: Vec<SocketAddr>) {
        *self.controllers.lock() = controllers;
    }

    /// Opens a stream to the leader. A failover on the way is waited for.
    ///
    /// # Errors
    /// The last one met, when nobody leads for [`FAILOVER_MAX`].
    pub async fn open(&self, opening: &Opening) -> Result<LinkStream, LinkError> {
        let deadline = Instant::now() + FAILOVER_MAX;
        loop {
            let error = match self.round(opening).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let is_final = matches!(&error, LinkError::Refused { refusal: Refusal::Forbidden, .. });
            if is_final || Instant::now() >= deadline {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks the one that led last, then all at once: the leader alone takes the stream.
    async fn round(&self, opening: &Opening) -> Result<LinkStream, LinkError> {
        let known = *self.known.lock();
        if let Some(address) = known {
            match self.client.open(address, Role::Controller, opening).await {
                Ok(stream) => return Ok(stream),
                Err(_) => *self.known.lock() = None,
            }
        }
        let controllers = self.controllers.lock().clone();
        let mut asked: FuturesUnordered<_> =
            controllers.into_iter().map(|address| self.ask(address, opening)).collect();
        let mut last = None;
        while let Some(answer) = asked.next().await {
            match answer {
                Ok((address, stream)) => {
                    *self.known.lock() = Some(address);
                    return Ok(stream);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(LinkError::Nobody))
    }

    async fn ask(&self, address: SocketAddr, opening: &Opening) -> Result<(SocketAddr, LinkStream), LinkError> {
        Ok((address, self.client.open(address, Role::Controller, opening).await?))
    }
}
