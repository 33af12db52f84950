//! One `send` instead of a `writev` for what is small.
//!
//! A request head, or a response head with a short body, is written as several pieces. Gathering them in the kernel costs more
//! than copying some hundred bytes here.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Up to this many bytes are copied together.
const COPY_BYTES_MAX: usize = 4096;

/// A stream that joins small pieces.
#[derive(Debug)]
pub(crate) struct SmallWrite<S>(pub(crate) S);

impl<S: AsyncRead + Unpin> AsyncRead for SmallWrite<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SmallWrite<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.0);
        if let [only] = bufs {
            return stream.poll_write(cx, only);
        }
        let len: usize = bufs.iter().map(|piece| piece.len()).sum();
        if len > COPY_BYTES_MAX {
            return stream.poll_write_vectored(cx, bufs);
        }
        let mut joined = [0; COPY_BYTES_MAX];
        let mut end = 0;
        for piece in bufs {
            joined[end..end + piece.len()].copy_from_slice(piece);
            end += piece.len();
        }
        stream.poll_write(cx, &joined[..end])
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn pieces_arrive_in_order_whatever_their_size() {
        for sizes in [vec![3], vec![10, 0, 20], vec![4000, 96], vec![4000, 97], vec![9000, 1, 2]] {
            let (mut reader, writer) = tokio::io::duplex(64 * 1024);
            let mut writer = SmallWrite(writer);
            let pieces: Vec<Vec<u8>> = (b'a'..).zip(&sizes).map(|(byte, size)| vec![byte; *size]).collect();
            let all = pieces.concat();
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let written = writer.write_vectored(&slices).await.unwrap();
            drop(writer);
            let mut read = Vec::new();
            reader.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, all[..written]);
            assert!(written > 0);
        }
    }
}
