//! The messages, and how they lie on a stream: four bytes of length, then JSON.

use std::io;

use ambo_model::{AppId, Hostname, InstanceId, LogLine, Route};
use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Largest message, in bytes: a table of 100,000 routes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// A certificate with the hosts that it is shown for. Goes over encrypted streams only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedCertificate {
    /// The hosts; none means that it is shown where no other fits.
    pub hosts: Vec<Hostname>,
    /// The chain, PEM.
    pub chain: String,
    /// Its key, PEM.
    pub key: String,
}

impl std::fmt::Debug for RoutedCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedCertificate").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub(super) enum ToRouter {
    /// Go by these routes, besides those that are known unless this is the whole table.
    Table { whole: bool, routes: Vec<Route>, gone: Vec<AppId> },
    /// Show these certificates and no others.
    Certificates { certificates: Vec<RoutedCertificate> },
    /// Say that all of the above is in force.
    Confirm { number: u64 },
    /// Say when no request is in flight to these, or the grace has passed.
    Drain { number: u64, instances: Vec<InstanceId>, grace_ms: u64 },
    /// The lines up to this one are kept.
    LinesKept { through: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
pub(super) enum FromRouter {
    /// What came before this confirmation is in force.
    Applied { number: u64 },
    /// The drain of this number is over.
    Drained { number: u64 },
    /// Lines; the last one has this number.
    Lines { through: u64, lines: Vec<LogLine> },
}

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(BYTES_MAX).new_codec()
}

pub(super) fn reader<T: DeserializeOwned>(
    stream: impl AsyncRead + Send + Unpin,
) -> impl Stream<Item = io::Result<T>> + Send + Unpin {
    FramedRead::new(stream, codec()).map(|frame| Ok(serde_json::from_slice(&frame?)?))
}

pub(super) fn writer<T: Serialize + Send>(
    stream: impl AsyncWrite + Send + Unpin,
) -> impl Sink<T, Error = io::Error> + Send + Unpin {
    let sink = FramedWrite::new(stream, codec());
    sink.with(|message: T| std::future::ready(serde_json::to_vec(&message).map(Bytes::from).map_err(io::Error::from)))
}
