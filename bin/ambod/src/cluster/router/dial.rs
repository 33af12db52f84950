//! Connections to instances, for the controller on this node: it is not on their networks, we are.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};

use crate::cluster::meeting;

/// Longest address with its line end, in bytes.
const LINE_BYTES_MAX: u64 = 64;

/// Connects whoever asks. Runs for as long as it is polled.
pub(super) async fn serve(listener: UnixListener) {
    loop {
        let asker = meeting::accept(&listener).await;
        // Ends with whoever asks.
        tokio::spawn(async move {
            if let Err(error) = connect(asker).await {
                tracing::debug!(%error, "a controller's connection to an instance broke");
            }
        });
    }
}

/// The address comes on a line; `ok` or why not goes back on another; then all is passed on.
async fn connect(asker: UnixStream) -> std::io::Result<()> {
    let mut asker = BufReader::new(asker);
    let mut line = String::new();
    (&mut asker).take(LINE_BYTES_MAX).read_line(&mut line).await?;
    let Ok(address) = line.trim_end().parse::<SocketAddr>() else {
        return asker.write_all(b"an address is wanted\n").await;
    };
    match TcpStream::connect(address).await {
        Ok(mut instance) => {
            asker.write_all(b"ok\n").await?;
            tokio::io::copy_bidirectional(&mut asker, &mut instance).await?;
            Ok(())
        }
        Err(error) => asker.write_all(format!("{error}\n").as_bytes()).await,
    }
}
