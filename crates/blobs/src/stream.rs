//! Streams of a size that nobody knows yet: written while they come, with no more than a few parts in memory and nothing on
//! the local disk.

use std::io;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use object_store::multipart::{MultipartStore, PartId};
use object_store::{MultipartId, ObjectStoreExt, PutPayload, WriteMultipart};

use crate::bucket::Bucket;
use crate::error::BlobsError;
use crate::file::{PART_BYTES, PARTS_MAX, PARTS_OF_A_FILE_AT_A_TIME};

/// Parts grow with their number, so that a small stream takes little memory and a large one still has few enough: up to which
/// number, and of how many bytes. Together 281 GiB.
const PARTS: [(u64, u64); 3] = [(4_000, PART_BYTES), (8_000, 4 * PART_BYTES), (PARTS_MAX, 8 * PART_BYTES)];

/// How many bytes a part has; `None` beyond the last.
fn part_bytes(number: u64) -> Option<u64> {
    PARTS.iter().find(|(end, _)| number < *end).map(|(_, bytes)| *bytes)
}

/// A part of a stream.
#[derive(Debug, Default)]
struct Part {
    pieces: Vec<Bytes>,
    bytes: u64,
    /// Whether the stream has ended with it.
    is_last: bool,
}

/// Cuts a stream into parts.
#[derive(Debug)]
struct Parts<S> {
    content: S,
    /// What was read beyond the last part.
    left: Bytes,
    number: u64,
    total: u64,
    ended: bool,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Parts<S> {
    fn new(content: S) -> Self {
        Self { content, left: Bytes::new(), number: 0, total: 0, ended: false }
    }

    /// The next part; the first may be empty, others are not. `None` after the last.
    async fn next(&mut self) -> io::Result<Option<Part>> {
        if self.ended {
            return Ok(None);
        }
        let Some(wanted) = part_bytes(self.number) else {
            return Err(io::Error::other(format!("it is larger than the {} bytes that fit", self.total)));
        };
        self.number += 1;
        let mut part = Part::default();
        loop {
            let room = usize::try_from(wanted - part.bytes).unwrap_or(usize::MAX);
            let piece = self.left.split_to(room.min(self.left.len()));
            part.bytes += piece.len() as u64;
            self.total += piece.len() as u64;
            part.pieces.extend(Some(piece).filter(|piece| !piece.is_empty()));
            if self.left.is_empty() {
                match self.content.try_next().await? {
                    Some(piece) => self.left = piece,
                    None => {
                        (self.ended, part.is_last) = (true, true);
                        return Ok(Some(part));
                    }
                }
            } else {
                return Ok(Some(part));
            }
        }
    }
}

impl Bucket {
    /// Writes a stream as an object, over what was there, while it comes. Gives its size, which is at most 281 GiB.
    ///
    /// # Errors
    /// When the stream says an error, or the store fails. The object is what it was before.
    ///
    /// # Cancel safety
    /// Dropping the future leaves parts behind, which [`Self::tidy`] removes.
    pub async fn put_stream<S>(&self, key: &str, content: S) -> Result<u64, BlobsError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let mut content = Parts::new(content);
        let unreadable = |error: io::Error| self.failed("read what is to be", key, error);
        let first = content.next().await.map_err(unreadable)?.unwrap_or_default();
        match &self.parts {
            Some(parts) if !first.is_last => self.stream_in_parts(&**parts, key, first, &mut content).await?,
            None if !first.is_last => self.stream_in_pieces(key, first, &mut content).await?,
            _ => {
                let _permit = self.parts_permits.acquire().await;
                let path = self.path(key)?;
                let written = self.store.put(&path, first.pieces.into_iter().collect()).await;
                written.map_err(|error| self.failed("write", key, error))?;
            }
        }
        Ok(content.total)
    }

    async fn stream_in_parts<S>(
        &self,
        parts: &dyn MultipartStore,
        key: &str,
        first: Part,
        content: &mut Parts<S>,
    ) -> Result<(), BlobsError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let begun = self.parts_begin(parts, key).await?;
        let unreadable = |error: io::Error| self.failed("read what is to be", key, error);
        let rest = futures::stream::try_unfold(content, |content| async move {
            Ok(content.next().await?.filter(|part| part.bytes > 0).map(|part| (part, content)))
        });
        let all = futures::stream::once(async { Ok(first) }).chain(rest.map_err(unreadable)).enumerate();
        let upload = &begun.upload;
        let sent = all.map(|(number, part)| async move { self.part_send(parts, key, upload, number, part?).await });
        // Boxed, or the compiler cannot see that it may move to another thread.
        let sent = sent.buffered(PARTS_OF_A_FILE_AT_A_TIME).try_collect::<Vec<_>>().boxed().await;
        self.parts_end(parts, key, begun, sent).await
    }

    async fn part_send(
        &self,
        parts: &dyn MultipartStore,
        key: &str,
        upload: &MultipartId,
        number: usize,
        part: Part,
    ) -> Result<PartId, BlobsError> {
        let _permit = self.parts_permits.acquire().await;
        let payload: PutPayload = part.pieces.into_iter().collect();
        let sent = parts.put_part(&self.path(key)?, upload, number, payload).await;
        sent.map_err(|error| self.failed("write", key, error))
    }

    async fn stream_in_pieces<S>(&self, key: &str, first: Part, content: &mut Parts<S>) -> Result<(), BlobsError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        let failed = |error| self.failed("write", key, error);
        let mut upload = WriteMultipart::new(self.store.put_multipart(&self.path(key)?).await.map_err(failed)?);
        let mut part = Some(first);
        while let Some(written) = part {
            written.pieces.into_iter().for_each(|piece| upload.put(piece));
            let room = upload.wait_for_capacity(1).await.map_err(failed);
            let next = content.next().await.map_err(|error| self.failed("read what is to be", key, error));
            match room.and(next) {
                Ok(next) => part = next,
                Err(error) => {
                    // The failure is what matters; what is left has no name that a listing shows.
                    let _ = upload.abort().await;
                    return Err(error);
                }
            }
        }
        upload.finish().await.map(drop).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_and_are_never_too_many() {
        assert_eq!(part_bytes(0), Some(PART_BYTES));
        assert_eq!(part_bytes(PARTS_MAX - 1), Some(8 * PART_BYTES));
        assert_eq!(part_bytes(PARTS_MAX), None);
        let total: u64 = (0..PARTS_MAX).filter_map(part_bytes).sum();
        assert_eq!(total >> 30, 281);
    }

    #[tokio::test]
    async fn a_stream_is_cut_without_losing_a_byte() {
        for total in [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 77] {
            let whole: Bytes = (0..total).map(|number| (number % 251) as u8).collect();
            let pieces: Vec<_> = whole.chunks(1 << 20).map(Bytes::copy_from_slice).map(Ok).collect();
            let mut parts = Parts::new(futures::stream::iter(pieces));
            let mut joined = Vec::new();
            while let Some(part) = parts.next().await.unwrap() {
                assert_eq!(part.bytes, part.pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
                assert!(part.is_last || part.bytes == PART_BYTES);
                joined.extend(part.pieces.concat());
            }
            assert!(joined == whole && parts.total == total, "{total} bytes");
        }
    }
}
