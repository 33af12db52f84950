//! Reading an archive to its end, for nothing but to know that it is whole.

use tokio::io::AsyncRead;

use crate::archive::{ArchiveReader, Event, Header, ReadError};
use crate::findings::Findings;
use crate::lock::Unlock;

/// Reads all of an archive: that every byte is what was written, and that it holds what its state needs. Writes nothing.
///
/// # Errors
/// When it cannot be opened or is not what was written.
pub async fn verify(
    archive: impl AsyncRead + Send + Unpin + 'static,
    unlock: Unlock,
) -> Result<(Header, Findings), ReadError> {
    let mut reader = ArchiveReader::open(archive, unlock);
    let mut of = None;
    loop {
        match (reader.next().await?, of) {
            (Event::Header(header), _) => of = Some(header),
            (Event::Finished(findings), Some(header)) => return Ok((header, findings)),
            (Event::Finished(_), None) => return Err(ReadError::NoArchive),
            (Event::Begin(..) | Event::Data(_) | Event::End { .. }, header) => of = header,
        }
    }
}
