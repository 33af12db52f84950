//! A controller that stands by: it keeps a copy of the leader's logs.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambo_link::frames::{reader, writer};
use ambo_link::steady::Steady;
use ambo_link::{Leader, LinkClient, Opening, Service};
use ambo_logs::{LogSettings, LogStore};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{FromCopy, ToCopy};
use crate::cluster::controller::engines::ClusterEngines;
use crate::cluster::identity::identity;
use crate::settings::Settings;

/// Pause before the leader is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// The logs of a controller that stands by.
pub(in super::super) struct Copying {
    logs: Arc<LogStore>,
    stop: CancellationToken,
    parts: JoinSet<()>,
}

impl Copying {
    /// Opens the logs in `directory`, and has them follow the leader's.
    ///
    /// # Errors
    /// When the logs cannot be opened, or the settings for the link are wrong.
    pub(in super::super) fn start(
        settings: &Settings,
        engines: ClusterEngines,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let logs = Arc::new(LogStore::open_copy(directory, LogSettings::default())?);
        let leader = Leader::among(LinkClient::new(identity(settings)?), Vec::new());
        let leader = LeaderOfSwarm { engines, leader, port: settings.listen_link.port() };
        let (stop, mut parts) = (CancellationToken::new(), JoinSet::new());
        let (writing, stopped) = (logs.clone(), stop.clone());
        parts.spawn(async move { writing.run(stopped).await });
        let (copied, stopped) = (logs.clone(), stop.clone());
        parts.spawn(async move {
            let _ = stopped.run_until_cancelled(follow(&copied, &leader)).await;
        });
        Ok(Self { logs, stop, parts })
    }

    /// Ends the copying, and gives the logs to whoever leads from now on.
    pub(in super::super) async fn end(self) -> Arc<LogStore> {
        self.stop.cancel();
        self.parts.join_all().await;
        self.logs.lead();
        self.logs
    }
}

/// The way to the leader among the swarm's managers, as they are now.
struct LeaderOfSwarm {
    engines: ClusterEngines,
    leader: Leader,
    port: u16,
}

impl LeaderOfSwarm {
    async fn stream(&self) -> anyhow::Result<ambo_link::LinkStream> {
        let nodes = self.engines.nodes().await?;
        let others = nodes.iter().filter(|node| node.manager_status.is_some() && !self.engines.is_local(node));
        let links = others.filter_map(|node| node.address()).map(|address| SocketAddr::new(address, self.port));
        self.leader.controllers_set(links.collect());
        Ok(self.leader.open(&Opening { service: Service::Logs, client: None }).await?)
    }
}

async fn follow(logs: &LogStore, leader: &LeaderOfSwarm) {
    loop {
        match leader.stream().await {
            Ok(stream) => {
                let ended = take(logs, stream).await;
                tracing::info!(?ended, "the leader's logs are not followed any more");
            }
            Err(error) => tracing::debug!(%error, "nobody's logs can be followed now"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes what a leader sends, as long as the stream lasts.
///
/// # Errors
/// When it breaks, or the leader is silent.
pub(super) async fn take(logs: &LogStore, stream: impl AsyncRead + AsyncWrite + Send + Unpin) -> io::Result<()> {
    let (from, to) = tokio::io::split(stream);
    let (mut from, mut to) = (reader(Steady::new(from)), writer(to));
    let apps = logs.reaches().await.into_iter().map(Into::into).collect();
    to.send(FromCopy::Reaches { apps }).await?;
    while let Some(message) = from.next().await {
        match message? {
            ToCopy::Discard { app } => logs.copy_discard(app).await,
            ToCopy::Lines { app, lines } => {
                logs.copy(app, lines.into_iter().map(Into::into).collect()).await;
                to.send(FromCopy::Taken).await?;
            }
            ToCopy::Through { number } => {
                logs.flush().await;
                to.send(FromCopy::Kept { number }).await?;
            }
        }
    }
    Ok(())
}
