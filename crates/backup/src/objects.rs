//! The registry's objects, on their way into an archive.

use ambo_registry::copy::{CopyRound, Object};
use ambo_registry::{BlobStore, Stat, StoreError};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::archive::{ArchiveWriter, Kind};
use crate::backup::BackupError;

/// Objects up to this size are read whole, many at a time: a far store takes its time for each.
pub(crate) const SMALL_BYTES: u64 = 1024 * 1024;
/// How many.
pub(crate) const SMALL_AT_A_TIME: usize = 16;

/// An object, as far as it was read.
enum Read {
    Whole(String, Bytes),
    Large(Stat),
    /// Gone since it was listed.
    Gone,
}

/// Writes everything, in rounds: what an object names comes after it.
pub(crate) async fn objects_write(blobs: &dyn BlobStore, writer: &mut ArchiveWriter) -> Result<(), BackupError> {
    for round in CopyRound::ORDER {
        let in_round = |stat: &Stat| Object::of(&stat.key).is_some_and(|object| object.round() == round);
        let listed = blobs.list(round.prefix()).try_filter(|stat| std::future::ready(in_round(stat)));
        let mut objects = listed.map_ok(|stat| object_read(blobs, stat)).try_buffered(SMALL_AT_A_TIME);
        while let Some(object) = objects.try_next().await? {
            match object {
                Read::Whole(key, content) => writer.whole(Kind::Object, &key, content).await?,
                Read::Large(stat) => large_write(blobs, stat, writer).await?,
                Read::Gone => {}
            }
        }
    }
    Ok(())
}

async fn object_read(blobs: &dyn BlobStore, stat: Stat) -> Result<Read, StoreError> {
    if stat.size > SMALL_BYTES {
        return Ok(Read::Large(stat));
    }
    let content = blobs.get(&stat.key).await?;
    Ok(content.map_or(Read::Gone, |content| Read::Whole(stat.key, content)))
}

async fn large_write(blobs: &dyn BlobStore, stat: Stat, writer: &mut ArchiveWriter) -> Result<(), BackupError> {
    let Some(mut pieces) = blobs.read(&stat.key, 0..stat.size).await? else { return Ok(()) };
    writer.entry(Kind::Object, &stat.key).await?;
    while let Some(piece) = pieces.try_next().await? {
        writer.data(piece).await?;
    }
    Ok(writer.end().await?)
}
