//! A request's body into an upload: in batches of bounded size, however large the body.

use std::time::Duration;

use ambo_model::ByteSize;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt;

use super::{Upload, check_size};
use crate::error::Error;

/// How much of a body is gathered before it is hashed and written, in bytes.
const BATCH_BYTES: usize = 1024 * 1024;
/// Most pieces of a batch: a client that sends single bytes must not make us keep a record for each.
const BATCH_PIECES_MAX: usize = 4096;
/// How much of a refused body is still read, in bytes.
const REFUSED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// How long a refused body is still read.
const REFUSED_DURATION_MAX: Duration = Duration::from_secs(60);

/// Bounds of a request's body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Largest blob.
    pub(crate) size_max: ByteSize,
    /// Longest wait for the next bytes.
    pub(crate) idle_max: Duration,
}

impl Upload {
    /// Adds a body to the content. Gives the number of bytes that came.
    ///
    /// When the client goes, what came in whole batches stays and can be resumed from.
    pub(crate) async fn receive(&mut self, body: Body, limits: BodyLimits) -> Result<u64, Error> {
        let mut stream = body.into_data_stream();
        let received = self.append_all(&mut stream, limits).await;
        if matches!(received, Err(Error::Full | Error::BlobTooLarge(_))) {
            let _ = tokio::time::timeout(REFUSED_DURATION_MAX, discard(&mut stream)).await;
        }
        received
    }

    async fn append_all(&mut self, stream: &mut BodyDataStream, limits: BodyLimits) -> Result<u64, Error> {
        let mut received = 0;
        loop {
            let (batch, ended) = gather(stream, limits.idle_max).await;
            let size: u64 = batch.iter().map(|piece| piece.len() as u64).sum();
            check_size(self.offset() + size, limits.size_max)?;
            if size > 0 {
                self.work(move |staging| staging.append(&batch)).await?;
                received += size;
            }
            match ended {
                None => {}
                Some(Ok(())) => return Ok(received),
                Some(Err(error)) => return Err(error),
            }
        }
    }
}

/// Reads on without keeping anything. A client that is still sending when the connection is closed sees it break and tries
/// again; one that has sent all reads why it was refused.
async fn discard(stream: &mut BodyDataStream) {
    let mut left = REFUSED_BYTES_MAX;
    while let Some(Ok(piece)) = stream.next().await {
        left = left.saturating_sub(piece.len() as u64);
        if left == 0 {
            return;
        }
    }
}

/// The next batch; with `Some`, it is the last one.
async fn gather(stream: &mut BodyDataStream, idle_max: Duration) -> (Vec<Bytes>, Option<Result<(), Error>>) {
    let mut batch = Vec::new();
    let mut size = 0;
    while size < BATCH_BYTES && batch.len() < BATCH_PIECES_MAX {
        match tokio::time::timeout(idle_max, stream.next()).await {
            Ok(Some(Ok(piece))) => {
                size += piece.len();
                batch.push(piece);
            }
            Ok(Some(Err(error))) => return (batch, Some(Err(Error::BodyBroken(error)))),
            Ok(None) => return (batch, Some(Ok(()))),
            Err(_) => return (batch, Some(Err(Error::BodyStalled(idle_max)))),
        }
    }
    (batch, None)
}
