//! Syslog over TCP and TLS.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::target::{AddressGuard, DrainKind, DrainUrl, resolve};

/// Longest wait for a connection, its handshake included.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the receiver to take a batch.
const WRITE_DURATION_MAX: Duration = Duration::from_secs(20);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, kept while it lasts.
pub(crate) struct Connection {
    read: ReadHalf<Box<dyn Stream>>,
    write: WriteHalf<Box<dyn Stream>>,
}

impl Connection {
    pub(crate) async fn open(url: &DrainUrl, guard: AddressGuard) -> io::Result<Self> {
        let connected = tokio::time::timeout(CONNECT_DURATION_MAX, connect(url, guard)).await;
        let stream = connected.unwrap_or_else(|_| Err(late("it does not answer")))?;
        let (read, write) = tokio::io::split(stream);
        Ok(Self { read, write })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = async {
            self.write.write_all(bytes).await?;
            self.write.flush().await
        };
        let written = tokio::time::timeout(WRITE_DURATION_MAX, written).await;
        written.unwrap_or_else(|_| Err(late("it takes no more")))
    }

    /// Whether the receiver has closed the connection: the network would take what it never gets. What it says is of no
    /// interest.
    pub(crate) async fn has_hung_up(&mut self) -> bool {
        let mut chunk = [0; 1024];
        loop {
            tokio::select! {
                biased;
                read = self.read.read(&mut chunk) => if !matches!(read, Ok(1..)) { return true },
                () = std::future::ready(()) => return false,
            }
        }
    }
}

async fn connect(url: &DrainUrl, guard: AddressGuard) -> io::Result<Box<dyn Stream>> {
    let (host, port) = (url.host(), url.port());
    let addresses = resolve(&host, port, guard).await?;
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    stream.set_nodelay(true)?;
    if url.kind() != DrainKind::SyslogTls {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(tls()).connect(name, stream).await?))
}

/// Trusts whom the machine trusts.
fn tls() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        #[allow(clippy::expect_used, reason = "ring has the protocol versions that rustls takes by default")]
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS versions");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    });
    Arc::clone(config)
}

fn late(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, text)
}
