//! A node's DNS: it hears of the nodes from the leader and keeps them on disk, so that it answers when nobody leads and when it
//! is started anew. Which of them are well it finds out by itself.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambo_dns::{DnsError, DnsServer, DnsSettings, HttpProbe, ListedRouter};
use ambo_link::routing::{RoutedNode, nodes_hear};
use anyhow::{Context, bail};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::meeting::Meeting;
use crate::notify;
use crate::settings::Settings;
use crate::signals::Signals;

/// Pause before the leader is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers until a signal says otherwise.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("listen for signals")?;
    let (meeting, data) = (Meeting::at(&settings.run), Path::new(&settings.data));
    std::fs::create_dir_all(data).map_err(|error| crate::data::unusable(data, error))?;
    let server = bind(settings.listen_dns).await?;
    let nodes = KeptNodes::open(data.join("nodes.json"), settings.listen_http.port());
    let (listed, stop) = (nodes.listed.subscribe(), CancellationToken::new());
    let zone = DnsSettings::new(settings.domain.clone());
    let mut parts = JoinSet::new();
    let address = server.address();
    let stopped = stop.clone();
    parts.spawn(async move { server.run(zone, listed, Arc::new(HttpProbe), stopped).await });
    parts.spawn(nodes.follow_leader(meeting.nodes()));
    tracing::info!(%address, "DNS of {} is answered by node {}", settings.domain, settings.node);
    notify::ready();
    tokio::select! {
        _ = signals.next() => tracing::info!("stopping"),
        ended = parts.join_next() => bail!("a part of DNS has ended by itself: {ended:?}"),
    }
    notify::stopping();
    stop.cancel();
    parts.shutdown().await;
    Ok(())
}

async fn bind(address: SocketAddr) -> anyhow::Result<DnsServer> {
    DnsServer::bind(address).await.map_err(|error| {
        let is_taken = matches!(&error, DnsError::Bind { source, .. } if source.kind() == ErrorKind::AddrInUse);
        let error = anyhow::Error::from(error);
        match is_taken {
            true => error.context(
                "another program answers DNS here, such as systemd-resolved: end it with DNSStubListener=no in \
                 /etc/systemd/resolved.conf, or give the setting `listen-dns` another address",
            ),
            false => error,
        }
    })
}

/// The nodes as they were heard of last, in memory and on disk.
#[derive(Debug)]
struct KeptNodes {
    path: PathBuf,
    /// Where routers take plain HTTP.
    port: u16,
    listed: watch::Sender<Vec<ListedRouter>>,
}

impl KeptNodes {
    /// Takes up those of the last run.
    fn open(path: PathBuf, port: u16) -> Self {
        let kept = Self { listed: watch::Sender::default(), path, port };
        kept.list(&kept.load());
        kept
    }

    /// None when there are none, or they cannot be read: the leader will tell.
    fn load(&self) -> Vec<RoutedNode> {
        match std::fs::read(&self.path).map(|bytes| serde_json::from_slice(&bytes)) {
            Ok(Ok(nodes)) => nodes,
            Ok(Err(error)) => {
                tracing::warn!(%error, path = %self.path.display(), "the nodes that were heard of last cannot be read");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    fn list(&self, nodes: &[RoutedNode]) {
        let router = |node: &RoutedNode| ListedRouter {
            label: node.label.clone(),
            probe: SocketAddr::new(node.address, self.port),
            addresses: node.public.clone(),
            is_name_server: node.is_name_server,
            is_leaving: node.is_leaving,
        };
        self.listed.send_replace(nodes.iter().map(router).collect());
    }

    fn hear(&self, nodes: &[RoutedNode]) {
        tracing::info!(nodes = nodes.len(), "heard of the nodes");
        self.list(nodes);
        let saved = serde_json::to_vec(nodes)
            .map_err(anyhow::Error::from)
            .and_then(|bytes| Ok(ambo_atomic_file::write_private(&self.path, &bytes)?));
        if let Err(error) = saved {
            tracing::error!(error = %crate::message(&error), "the nodes would be lost by a restart");
        }
    }

    /// Hears of the nodes from the leader, whoever it is at the time. Runs for as long as it is polled.
    async fn follow_leader(self, socket: PathBuf) -> Result<(), DnsError> {
        let mut has_leader = true;
        loop {
            let heard = async {
                let stream = UnixStream::connect(&socket).await?;
                nodes_hear(stream, |nodes| {
                    has_leader = true;
                    self.hear(&nodes);
                })
                .await
            };
            let ended = heard.await;
            // Once, not with every try.
            if has_leader {
                tracing::info!(error = ?ended.err(), "no leader: answering by the last list of nodes");
            }
            has_leader = false;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use ambo_link::routing::nodes_tell;
    use tokio::net::UnixListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn node(label: &str, address: &str) -> RoutedNode {
        RoutedNode {
            label: label.to_owned(),
            address: address.parse().unwrap(),
            public: vec!["203.0.113.1".parse().unwrap()],
            is_name_server: true,
            is_leaving: false,
        }
    }

    #[tokio::test]
    async fn what_the_leader_said_holds_after_a_restart_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, socket) = (dir.path().join("nodes.json"), dir.path().join("nodes.sock"));
        let leader = UnixListener::bind(&socket).unwrap();
        let kept = KeptNodes::open(path.clone(), 80);
        let mut listed = kept.listed.subscribe();
        assert!(listed.borrow().is_empty());
        let following = tokio::spawn(kept.follow_leader(socket));
        let (known, nodes) = watch::channel(vec![node("n1", "10.0.0.1")]);
        let (stream, _) = leader.accept().await.unwrap();
        let telling = tokio::spawn(nodes_tell(stream, nodes));
        let heard = tokio::time::timeout(PATIENCE, listed.wait_for(|routers| routers.len() == 1)).await;
        assert_eq!(heard.unwrap().unwrap()[0].probe, "10.0.0.1:80".parse().unwrap());
        known.send_replace(vec![node("n1", "10.0.0.1"), node("n2", "10.0.0.2")]);
        tokio::time::timeout(PATIENCE, listed.wait_for(|routers| routers.len() == 2)).await.unwrap().unwrap();
        // Another leader takes over, and is asked in turn.
        telling.abort();
        let (stream, _) = tokio::time::timeout(PATIENCE, leader.accept()).await.unwrap().unwrap();
        drop((stream, leader));
        following.abort();
        let _ = following.await;
        let kept = KeptNodes::open(path.clone(), 80);
        assert_eq!(kept.listed.borrow().len(), 2);
        std::fs::write(&path, b"[{\"lab").unwrap();
        assert!(KeptNodes::open(path, 80).listed.borrow().is_empty(), "a damaged list is none");
    }
}
