//! How a leader asks a node what it measures: a question, an answer, and the stream ends.

use std::io;

use ambo_link::frames::{Frame, reader};
use ambo_metrics::NodeSample;
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    /// Whose instances.
    pub(super) platform: String,
}

/// Asks.
///
/// # Errors
/// When the stream breaks before there was an answer.
pub(super) async fn ask(stream: impl AsyncRead + AsyncWrite + Send + Unpin, platform: &str) -> io::Result<NodeSample> {
    let (from, mut to) = tokio::io::split(stream);
    Frame::of(&Question { platform: platform.to_owned() })?.write(&mut to).await?;
    one(from).await
}

/// The one message that a stream is for.
///
/// # Errors
/// When it breaks before.
pub(super) async fn one<T: DeserializeOwned>(from: impl AsyncRead + Send + Unpin) -> io::Result<T> {
    reader(from).next().await.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}
