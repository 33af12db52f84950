//! A repository, on its way out of an archive.

use std::io;

use ambo_model::AppId;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;

use super::RestoreError;
use crate::archive::{ArchiveReader, Event, ReadError};
use crate::repositories::Repositories;

/// Pieces that wait for git.
const PIECES_WAITING: usize = 4;

/// Imports one, as its content comes. When that breaks off, the import is told, so that it makes nothing of it.
pub(super) async fn write(
    repositories: &dyn Repositories,
    app: AppId,
    reader: &mut ArchiveReader,
) -> Result<(), RestoreError> {
    let (pieces, content) = mpsc::channel(PIECES_WAITING);
    let content = Box::new(StreamReader::new(ReceiverStream::new(content)));
    match tokio::join!(pass(reader, pieces), repositories.import(app, content)) {
        (Ok(()), imported) => Ok(imported?),
        (Err(error), _) => Err(error.into()),
    }
}

async fn pass(reader: &mut ArchiveReader, pieces: mpsc::Sender<io::Result<Bytes>>) -> Result<(), ReadError> {
    loop {
        let piece = match reader.next().await {
            Ok(Event::Data(piece)) => Ok(piece),
            Ok(_) => return Ok(()),
            Err(error) => {
                let _ = pieces.send(Err(io::Error::other("the archive ends here"))).await; // The import may have failed.
                return Err(error);
            }
        };
        // An import that has failed says so itself; the rest of the entry is gone past.
        let _ = pieces.send(piece).await;
    }
}
