//! The nodes that users may be sent to: told by the controller that leads to whoever answers DNS, whenever they change.

use std::io;
use std::net::IpAddr;

use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::frames::{reader, writer};
use crate::steady::{BEAT_INTERVAL, Steady};

/// A node with a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedNode {
    /// Its name as a DNS label; no two nodes have the same.
    pub label: String,
    /// Where the other nodes reach it.
    pub address: IpAddr,
    /// Where users reach it; none when they shall not be sent there.
    pub public: Vec<IpAddr>,
    /// Whether it is named as a server of the platform's zone.
    pub is_name_server: bool,
    /// Whether it is being emptied.
    pub is_leaving: bool,
}

/// All of them, each time; none when nothing has changed.
#[derive(Debug, Serialize, Deserialize)]
struct Nodes {
    nodes: Vec<RoutedNode>,
}

/// Tells all nodes at once and whenever they change, until the stream breaks or nobody is left who knows them. An empty list
/// is not told: none is known yet.
///
/// # Errors
/// When the stream breaks.
pub async fn nodes_tell<S>(stream: S, mut nodes: watch::Receiver<Vec<RoutedNode>>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (from, to) = tokio::io::split(stream);
    let (mut from, mut to) = (reader::<Nodes>(from), writer::<Nodes>(to));
    let mut known = nodes.borrow_and_update().clone();
    loop {
        to.send(Nodes { nodes: std::mem::take(&mut known) }).await?;
        tokio::select! {
            () = tokio::time::sleep(BEAT_INTERVAL) => {}
            changed = nodes.changed() => match changed {
                Ok(()) => known = nodes.borrow_and_update().clone(),
                Err(_) => return Ok(()),
            },
            // Nothing is ever said there: it ends with whoever listens.
            said = from.next() => return said.map_or(Ok(()), |said| said.map(drop)),
        }
    }
}

/// Takes all nodes, at once and whenever they change, as long as the stream lasts.
///
/// # Errors
/// When the stream breaks, or the leader is silent.
pub async fn nodes_hear<S>(stream: S, mut heard: impl FnMut(Vec<RoutedNode>) + Send) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    // Both halves are kept: who closes one is taken for gone.
    let (from, _to) = tokio::io::split(stream);
    let mut from = reader::<Nodes>(Steady::new(from));
    while let Some(message) = from.next().await {
        let nodes = message?.nodes;
        if !nodes.is_empty() {
            heard(nodes);
        }
    }
    Ok(())
}
