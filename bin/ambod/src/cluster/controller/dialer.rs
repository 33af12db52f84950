//! The way to instances: through the router of this node, which is on their networks.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use ambo_controller::ports::{Connection, DialError, Dialer};
use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Longest answer, in bytes.
const LINE_BYTES_MAX: u64 = 512;

/// Asks the router at its socket.
#[derive(Debug)]
pub(super) struct RouterDialer(pub(super) PathBuf);

#[async_trait]
impl Dialer for RouterDialer {
    async fn dial(&self, endpoint: SocketAddr) -> Result<Box<dyn Connection>, DialError> {
        let mut router = BufReader::new(UnixStream::connect(&self.0).await.map_err(DialError::Way)?);
        router.write_all(format!("{endpoint}\n").as_bytes()).await.map_err(DialError::Way)?;
        let mut answer = String::new();
        (&mut router).take(LINE_BYTES_MAX).read_line(&mut answer).await.map_err(DialError::Way)?;
        match answer.trim_end() {
            "ok" => Ok(Box::new(router)),
            "" => Err(DialError::Way(io::ErrorKind::UnexpectedEof.into())),
            reason => Err(DialError::Instance(io::Error::other(reason.to_owned()))),
        }
    }
}
