//! What a stream begins with: which service it is for, and the answer. Two bytes of length, then JSON, each way once.

use std::io;
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest opening and answer, in bytes.
const BYTES_MAX: u16 = 4096;

/// What a stream is for. The first group is answered by the controller that leads, the second by agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The platform's API and git over HTTP: a connection of a client's.
    Api,
    /// Git over SSH: a connection of a client's.
    Ssh,
    /// The image registry, for a node's engine.
    Registry,
    /// The rendezvous of one-off runs: a connection of a client's.
    Rendezvous,
    /// A router's table and lines: [`crate::routing`].
    Routes,
    /// The nodes that users may be sent to, for whoever answers DNS: [`crate::routing::nodes_tell`].
    Nodes,
    /// The logs of all apps, for another controller's copy of them.
    Logs,
    /// A node's engine.
    Engine,
    /// What a node measures of itself: one question, one answer.
    Metrics,
}

/// The first words of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// What for.
    pub service: Service,
    /// The client that it is passed on for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<SocketAddr>,
}

/// Why a stream was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "refusal")]
pub enum Refusal {
    /// Another controller leads, here if it is known.
    Standby {
        /// The address of its link.
        leader: Option<SocketAddr>,
    },
    /// The service cannot be had now; later perhaps.
    Unavailable {
        /// Why, for people.
        reason: String,
    },
    /// Not for this peer.
    Forbidden,
}

/// The answer to an opening.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub(crate) enum Answer {
    Taken,
    Refused(Refusal),
}

pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u16::try_from(body.len()).ok().filter(|length| *length <= BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an opening is too long"))?;
    let mut bytes = Vec::with_capacity(body.len() + 2);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&body);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Reads no byte beyond the message.
pub(crate) async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = stream.read_u16().await?;
    if length > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an opening is too long"));
    }
    let mut body = vec![0; usize::from(length)];
    stream.read_exact(&mut body).await?;
    serde_json::from_slice(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
