//! A client's socket, watched: when a request head begins, and whether the client reads what it is sent.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::{Blocked, Client};
use crate::request::head_scan::HeadScan;

/// The bytes to and from a client.
#[derive(Debug)]
pub(crate) struct ClientIo<S> {
    inner: S,
    client: Arc<Client>,
    scan: HeadScan,
}

impl<S> ClientIo<S> {
    pub(crate) fn new(inner: S, client: Arc<Client>) -> Self {
        Self { inner, client, scan: HeadScan::default() }
    }

    fn head_bytes(&mut self, bytes: &[u8]) {
        let begun = !self.client.head_has_begun();
        if begun {
            self.scan = HeadScan::default();
        }
        self.scan.feed(bytes);
        self.client.head_bytes(begun, self.scan.is_ambiguous());
    }

    fn written<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.client.write_blocks(if polled.is_pending() { Blocked::Yes } else { Blocked::No });
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let bytes = &buf.filled()[before..];
        if !bytes.is_empty() && !self.client.is_http2() && self.client.awaits_head() {
            self.head_bytes(bytes);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.written(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
