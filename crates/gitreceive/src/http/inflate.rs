//! Unpacks compressed request bodies as they come, with a limit.

use std::io::{self, Write};

use bytes::{Buf, Bytes};
use flate2::write::GzDecoder;
use futures::{Stream, StreamExt, stream};

/// How much is unpacked at a time. A kilobyte of gzip holds a megabyte at most, which bounds the memory.
const PIECE_BYTES: usize = 1024;

struct Inflating<S> {
    chunks: S,
    pending: Bytes,
    decoder: GzDecoder<Vec<u8>>,
    total: u64,
    ended: bool,
}

/// Inflates a gzip stream. Fails when it is broken, cut off, or holds more than `bytes_max`.
pub(crate) fn inflate(
    chunks: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    bytes_max: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let start =
        Inflating { chunks, pending: Bytes::new(), decoder: GzDecoder::new(Vec::new()), total: 0, ended: false };
    stream::try_unfold(start, move |mut state| async move {
        while !state.ended {
            if state.pending.is_empty() {
                match state.chunks.next().await {
                    Some(chunk) => state.pending = chunk?,
                    None => {
                        state.decoder.try_finish()?;
                        state.ended = true;
                    }
                }
            } else {
                let piece = state.pending.len().min(PIECE_BYTES);
                let taken = state.decoder.write(&state.pending[..piece])?;
                if taken == 0 {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes after the end of the gzip stream"));
                }
                state.pending.advance(taken);
            }
            let inflated = std::mem::take(state.decoder.get_mut());
            state.total += inflated.len() as u64;
            if state.total > bytes_max {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the request unpacks to more than is allowed"));
            }
            if !inflated.is_empty() {
                return Ok(Some((Bytes::from(inflated), state)));
            }
        }
        Ok(None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn inflated(packed: &[u8], chunk: usize, max: u64) -> io::Result<Vec<u8>> {
        let chunks: Vec<_> = packed.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let mut out = Vec::new();
        let mut stream = Box::pin(inflate(stream::iter(chunks), max));
        while let Some(piece) = stream.next().await {
            out.extend_from_slice(&piece?);
        }
        Ok(out)
    }

    #[tokio::test]
    async fn what_was_packed_comes_out_however_it_is_cut() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let packed = packed(&text);
        for chunk in [1, 7, 1024, 70_000] {
            assert_eq!(inflated(&packed, chunk, 1 << 20).await.unwrap(), text);
        }
    }

    #[tokio::test]
    async fn a_bomb_a_cut_and_noise_are_refused() {
        let bomb = packed(&vec![0; 10 << 20]);
        assert!(inflated(&bomb, 1024, 1 << 20).await.is_err());
        assert!(inflated(&bomb[..bomb.len() / 2], 1024, 1 << 30).await.is_err());
        assert!(inflated(b"no gzip at all", 1024, 1 << 20).await.is_err());
    }
}
