//! A way for the CLI to the server through this machine's loopback, which is all that the CLI lets a token go to.
//!
//! The relay has no credentials of its own: it passes on the token that a request carries, so that whoever else finds
//! its port on this machine gains nothing. It answers no browser, and passes on no other credentials than this login's.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ambo_client::types::Secret;
use ambo_client::{ForwardedBody, Forwarder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Most connections at the same time; the CLI opens a handful.
const CONNECTIONS_MAX: usize = 64;
/// Longest time for a request's head to arrive.
const HEAD_DURATION_MAX: Duration = Duration::from_secs(30);
/// Longest head of a request, in bytes: the CLI's `Request-Id` alone grows to 7 KiB.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Pause after the system had no connection to give.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

type Answer = Response<Either<ForwardedBody, Full<Bytes>>>;

/// A relay that listens.
#[derive(Debug)]
pub(super) struct Relay {
    listener: TcpListener,
    gate: Arc<Gate>,
}

/// What decides on a request.
#[derive(Debug)]
struct Gate {
    forwarder: Forwarder,
    token: Secret,
    address: SocketAddr,
}

impl Relay {
    /// Listens on a free port of the loopback.
    pub(super) async fn bind(forwarder: Forwarder, token: Secret) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, gate: Arc::new(Gate { forwarder, token, address }) })
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.gate.address.port()
    }

    /// Serves until dropped; connections end with it.
    pub(super) async fn serve(self) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, Arc::clone(&self.gate)));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_DELAY).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn connection(stream: TcpStream, gate: Arc<Gate>) {
    let service = service_fn(move |request| {
        let gate = Arc::clone(&gate);
        async move { Ok::<_, Infallible>(gate.answer(request).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_DURATION_MAX).max_buf_size(HEAD_BYTES_MAX);
    // The CLI sees a broken connection by itself.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

impl Gate {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if let Some(why) = self.refusal(request.headers()) {
            return said(StatusCode::FORBIDDEN, "forbidden", why);
        }
        match self.forwarder.forward(request).await {
            Ok(answer) => answer.map(Either::Left),
            Err(error) => said(StatusCode::BAD_GATEWAY, "unavailable", &format!("{error}, says `ambo heroku`")),
        }
    }

    fn refusal(&self, headers: &HeaderMap) -> Option<&'static str> {
        let port = self.address.port();
        let asked = headers.get(HOST).map(HeaderValue::as_bytes);
        let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        if !asked.is_some_and(|asked| own.iter().any(|name| name.as_bytes() == asked)) || headers.contains_key(ORIGIN) {
            return Some("the relay of `ambo heroku` serves the `heroku` CLI alone");
        }
        let foreign = headers.get_all(AUTHORIZATION).iter().any(|value| !self.is_own(value));
        foreign.then_some("the relay of `ambo heroku` passes on no credentials but those of `ambo login`")
    }

    /// Whether the header carries this login's token: as bearer, or as the password of whomever.
    fn is_own(&self, value: &HeaderValue) -> bool {
        let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.trim().split_once(' ')) else {
            return false;
        };
        let token = self.token.reveal();
        if scheme.eq_ignore_ascii_case("bearer") {
            return rest.trim() == token;
        }
        let decoded = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        scheme.eq_ignore_ascii_case("basic")
            && decoded.is_some_and(|pair| pair.split_once(':').is_some_and(|(_, password)| password == token))
    }
}

/// An answer of the relay's own, in the API's shape.
fn said(status: StatusCode, id: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "id": id, "message": message }).to_string();
    let mut answer = Response::new(Either::Right(Full::new(Bytes::from(body))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
