//! How messages of ours lie on a stream: four bytes of length, then JSON.

use std::io;

use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Largest message, in bytes: a table of 100,000 routes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(BYTES_MAX).new_codec()
}

/// The messages that come from a stream.
pub fn reader<T: DeserializeOwned>(
    stream: impl AsyncRead + Send + Unpin,
) -> impl Stream<Item = io::Result<T>> + Send + Unpin {
    FramedRead::new(stream, codec()).map(|frame| Ok(serde_json::from_slice(&frame?)?))
}

/// Messages into a stream.
pub fn writer<T: Serialize + Send>(
    stream: impl AsyncWrite + Send + Unpin,
) -> impl Sink<T, Error = io::Error> + Send + Unpin {
    let sink = FramedWrite::new(stream, codec());
    sink.with(|message: T| std::future::ready(serde_json::to_vec(&message).map(Bytes::from).map_err(io::Error::from)))
}
