//! How messages of ours lie on a stream: four bytes of length, then JSON.

use std::io;

use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Largest message, in bytes: a table of 100,000 routes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of the length.
const LENGTH_BYTES: usize = 4;

/// A message as it lies on a stream: one that goes over many is made once. Clones share their bytes.
#[derive(Debug, Clone)]
pub struct Frame(Bytes);

impl Frame {
    /// Encodes a message.
    ///
    /// # Errors
    /// When it has no JSON form, or is larger than 64 MiB.
    pub fn of<T: Serialize>(message: &T) -> io::Result<Self> {
        let mut bytes = vec![0; LENGTH_BYTES];
        serde_json::to_writer(&mut bytes, message)?;
        let length = bytes.len() - LENGTH_BYTES;
        let written = u32::try_from(length).ok().filter(|_| length <= BYTES_MAX);
        let too_large = || io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes"));
        bytes[..LENGTH_BYTES].copy_from_slice(&written.ok_or_else(too_large)?.to_be_bytes());
        Ok(Self(bytes.into()))
    }

    /// Puts it on a stream, without a copy. Not cancel safe: half a message may be written.
    ///
    /// # Errors
    /// When the stream breaks.
    pub async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        stream.write_all(&self.0).await?;
        stream.flush().await
    }
}

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
