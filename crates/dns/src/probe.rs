//! Asking a router whether it is well.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A way to ask. Whoever asks sets the deadline; implementations are cancel safe.
#[async_trait]
pub trait Probe: std::fmt::Debug + Send + Sync + 'static {
    /// Whether the router at this address is well.
    async fn is_well(&self, router: SocketAddr) -> bool;
}

/// Asks over HTTP for a host that no app can have, the router's own address. A router answers that itself, with 404: whoever
/// answers accepts connections, reads requests and has its table. Answers of 500 and above are not well.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpProbe;

#[async_trait]
impl Probe for HttpProbe {
    async fn is_well(&self, router: SocketAddr) -> bool {
        match ask(router).await {
            Ok(status) => !status.is_server_error(),
            Err(error) => {
                tracing::debug!(%router, error = &*error, "a router does not answer");
                false
            }
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn ask(router: SocketAddr) -> Result<StatusCode, Failure> {
    let stream = TcpStream::connect(router).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/")
        .header(HOST, router.to_string())
        .header(USER_AGENT, "ambo-dns")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    // The connection is driven by whoever waits for the answer, and ends with it: the body is of no interest.
    tokio::select! {
        answer = &mut answer => Ok(answer?.status()),
        ended = &mut connection => {
            ended?;
            Ok(answer.await?.status())
        }
    }
}
