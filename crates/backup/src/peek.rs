//! An archive's keys alone: for whoever makes a place for a platform before it is restored there.

use std::collections::BTreeMap;

use tokio::io::AsyncRead;
use zeroize::Zeroizing;

use crate::archive::{ArchiveReader, Event, Header, Kind, ReadError};
use crate::lock::Unlock;

/// Keys by their names.
pub type NamedKeys = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Reads the keys, which are an archive's beginning, and no further. The rest may be damaged.
///
/// # Errors
/// When it cannot be opened, or is not what was written as far as it was read.
pub async fn keys_peek(
    archive: impl AsyncRead + Send + Unpin + 'static,
    unlock: Unlock,
) -> Result<(Header, NamedKeys), ReadError> {
    let mut reader = ArchiveReader::open(archive, unlock);
    let Event::Header(header) = reader.next().await? else { return Err(ReadError::NoArchive) };
    let (mut keys, mut open) = (NamedKeys::new(), None);
    loop {
        match (reader.next().await?, &mut open) {
            (Event::Begin(Kind::Key, name), _) => open = Some((name, Zeroizing::new(Vec::new()))),
            (Event::Data(piece), Some((_, key))) => key.extend_from_slice(&piece),
            (Event::End { .. }, _) => keys.extend(open.take()),
            (Event::Begin(..) | Event::Finished(_), _) => return Ok((header, keys)),
            (Event::Header(_) | Event::Data(_), _) => return Err(ReadError::NoArchive),
        }
    }
}
