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
        let mut received = 0;
        loop {
            let (batch, ended) = gather(&mut stream, limits.idle_max).await;
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
