//! Git's smart HTTP protocol.

mod credentials;
mod inflate;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ambo_model::AppName;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::http::credentials::Credentials;
use crate::http::inflate::inflate;
use crate::port::{AccessDenied, Caller, LoginRefused, Repository};
use crate::server::{GitServer, Shared};
use crate::service::Service;
use crate::session::{
    Ended, Exchange, Input, Output, Session, SessionRefused, SessionRequest, UNREACHABLE, session_start,
};

/// How much a request may hold beyond its pack, once inflated: refs wanted, refs had.
const NEGOTIATION_BYTES_MAX: u64 = 64 << 20;
/// Longest `Git-Protocol` header.
const PROTOCOL_BYTES_MAX: usize = 256;

impl GitServer {
    /// The routes `/<app>.git/info/refs`, `/<app>.git/git-upload-pack` and `/<app>.git/git-receive-pack`, to be merged into a
    /// router that has no other routes of one variable segment before these. Sets no fallback and no limit of body size.
    pub fn http_router(&self) -> Router {
        Router::new()
            .route("/{repository}/info/refs", get(refs_advertise))
            .route("/{repository}/git-upload-pack", post(upload_pack))
            .route("/{repository}/git-receive-pack", post(receive_pack))
            .with_state(Arc::clone(&self.shared))
    }
}

/// Why a request gets no session.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there is no page here: a repository's address ends in `.git`, as in `/my-app.git`")]
    NoRepository,
    #[error("this server speaks git's smart protocol only: use git 1.6.6 or newer, or set GIT_SMART_HTTP=1")]
    DumbProtocol,
    #[error("`{0}` is no git service: use git-upload-pack or git-receive-pack")]
    UnknownService(String),
    #[error("the request does not look like git's: its content type must be `{0}`")]
    ContentType(&'static str),
    #[error("`{0}` is no content encoding that this server reads: use gzip, or none")]
    ContentEncoding(String),
    #[error("log in with `ambo login`, or give an API token as the password")]
    Unauthenticated,
    #[error(transparent)]
    Login(#[from] LoginRefused),
    #[error(transparent)]
    Denied(#[from] AccessDenied),
    #[error(transparent)]
    Session(#[from] SessionRefused),
    #[error("{UNREACHABLE}")]
    Unreachable,
    #[error("git failed on the server: try again; if it happens again, tell the operator")]
    Failed,
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Refused::NoRepository | Refused::Denied(AccessDenied::NotFound(_)) => StatusCode::NOT_FOUND,
            Refused::DumbProtocol | Refused::UnknownService(_) => StatusCode::FORBIDDEN,
            Refused::ContentType(_) | Refused::ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refused::Unauthenticated | Refused::Login(LoginRefused::Wrong) => StatusCode::UNAUTHORIZED,
            Refused::Login(LoginRefused::Throttled { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Refused::Session(SessionRefused::Disk(_)) => StatusCode::INSUFFICIENT_STORAGE,
            Refused::Unreachable
            | Refused::Denied(AccessDenied::Unavailable)
            | Refused::Login(LoginRefused::Unavailable)
            | Refused::Session(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Git shows a text of this type as `remote:` lines.
    fn response(&self) -> Response {
        let mut response = respond(self.status(), "text/plain; charset=utf-8", Body::from(format!("{self}\n")));
        if self.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Ambo\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Refused::Login(LoginRefused::Throttled { retry_after }) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        response
    }
}

/// What a request says of who sent it.
struct Asker {
    headers: HeaderMap,
    /// Known when the server that the routes are merged into tells it.
    peer: Option<IpAddr>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        Ok(Self { headers: parts.headers.clone(), peer })
    }
}

#[derive(Debug, Deserialize)]
struct RefsQuery {
    service: Option<String>,
}

async fn refs_advertise(
    State(shared): State<Arc<Shared>>,
    Path(repository): Path<String>,
    Query(query): Query<RefsQuery>,
    asker: Asker,
) -> Response {
    let answer = async {
        let Some(name) = query.service else { return Err(Refused::DumbProtocol) };
        let service = Service::parse(&name).ok_or(Refused::UnknownService(name))?;
        let (caller, repository) = enter(&shared, &repository, service, &asker).await?;
        let protocol = protocol_of(&asker.headers);
        let announced = announcement(service, protocol.as_deref());
        let request = SessionRequest { service, exchange: Exchange::Advertisement, repository, caller, protocol };
        let session = session_start(&shared, request, Box::pin(stream::empty()), CancellationToken::new())?;
        let content_type = match service {
            Service::UploadPack => "application/x-git-upload-pack-advertisement",
            Service::ReceivePack => "application/x-git-receive-pack-advertisement",
        };
        carry(session, content_type, announced).await
    };
    answer.await.unwrap_or_else(|refused| refused.response())
}

async fn upload_pack(
    State(shared): State<Arc<Shared>>,
    Path(repository): Path<String>,
    asker: Asker,
    body: Body,
) -> Response {
    let answer = serve(&shared, &repository, Service::UploadPack, &asker, body).await;
    answer.unwrap_or_else(|refused| refused.response())
}

async fn receive_pack(
    State(shared): State<Arc<Shared>>,
    Path(repository): Path<String>,
    asker: Asker,
    body: Body,
) -> Response {
    let answer = serve(&shared, &repository, Service::ReceivePack, &asker, body).await;
    answer.unwrap_or_else(|refused| refused.response())
}

async fn serve(
    shared: &Arc<Shared>,
    repository: &str,
    service: Service,
    asker: &Asker,
    body: Body,
) -> Result<Response, Refused> {
    let headers = &asker.headers;
    let (expected, answered) = match service {
        Service::UploadPack => ("application/x-git-upload-pack-request", "application/x-git-upload-pack-result"),
        Service::ReceivePack => ("application/x-git-receive-pack-request", "application/x-git-receive-pack-result"),
    };
    let (caller, repository) = enter(shared, repository, service, asker).await?;
    if headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) != Some(expected) {
        return Err(Refused::ContentType(expected));
    }
    let chunks = body.into_data_stream().map(|chunk| chunk.map_err(std::io::Error::other));
    let input: Input = match headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?")) {
        None | Some("identity") => Box::pin(chunks),
        Some("gzip" | "x-gzip") => {
            let pack_max = match service {
                Service::UploadPack => 0,
                Service::ReceivePack => shared.settings.push_size_max.as_u64(),
            };
            Box::pin(inflate(chunks, pack_max.saturating_add(NEGOTIATION_BYTES_MAX)))
        }
        Some(other) => return Err(Refused::ContentEncoding(other.to_owned())),
    };
    let protocol = protocol_of(headers);
    let request = SessionRequest { service, exchange: Exchange::Stateless, repository, caller, protocol };
    let session = session_start(shared, request, input, CancellationToken::new())?;
    carry(session, answered, Bytes::new()).await
}

/// Who it is and which repository; a stranger's app and no app look the same.
async fn enter(
    shared: &Shared,
    repository: &str,
    service: Service,
    asker: &Asker,
) -> Result<(Caller, Repository), Refused> {
    let name = repository.strip_suffix(".git").ok_or(Refused::NoRepository)?;
    let credentials = Credentials::of(&asker.headers).ok_or(Refused::Unauthenticated)?;
    let caller = shared.gate.account_by_password(&credentials.username, &credentials.password, asker.peer).await?;
    let name = AppName::parse(name).map_err(|_| AccessDenied::NotFound(name.escape_default().take(60).collect()))?;
    Ok((caller, shared.gate.authorize(caller, name.as_str(), service.action()).await?))
}

/// Answers with `head` and then git's output as it comes. Dropping the answer's body ends the session. The status waits for
/// git's first word, so that a git that fails at once is an error to the client too.
async fn carry(mut session: Session, content_type: &'static str, head: Bytes) -> Result<Response, Refused> {
    let first = next_output(&mut session).await;
    if first.is_none() {
        match session.ended.await {
            Ok(Ended::Exit(0)) => return Ok(respond(StatusCode::OK, content_type, Body::from(head))),
            Ok(Ended::Unreachable) => return Err(Refused::Unreachable),
            _ => return Err(Refused::Failed),
        }
    }
    let head = [Some(head), first].into_iter().flatten().filter(|chunk| !chunk.is_empty());
    let rest = stream::try_unfold(Some(session), async |session| {
        let Some(mut session) = session else { return Ok(None) };
        if let Some(chunk) = next_output(&mut session).await {
            return Ok(Some((chunk, Some(session))));
        }
        match session.ended.await {
            Ok(Ended::Exit(_)) => Ok(None),
            // A broken answer, so that no client takes what it got for all there is.
            _ => Err(std::io::Error::other("the git session was ended")),
        }
    });
    let body = stream::iter(head).map(Ok).chain(rest);
    Ok(respond(StatusCode::OK, content_type, Body::from_stream(body)))
}

/// Git's next bytes for the client; its complaints go to the log, for HTTP has no place for them.
async fn next_output(session: &mut Session) -> Option<Bytes> {
    loop {
        match session.output.recv().await? {
            Output::Stdout(chunk) => return Some(chunk),
            Output::Stderr(text) => {
                let text = String::from_utf8_lossy(&text);
                tracing::debug!(text = %text.trim(), "git says");
            }
        }
    }
}

/// The first lines of an advertisement, which protocol 2 does without.
fn announcement(service: Service, protocol: Option<&str>) -> Bytes {
    let version_2 = protocol.is_some_and(|protocol| protocol.split(':').any(|field| field == "version=2"));
    if version_2 && service == Service::UploadPack {
        return Bytes::new();
    }
    let line = format!("# service={}\n", service.name());
    let mut bytes = BytesMut::new();
    bytes.put_slice(format!("{:04x}{line}0000", line.len() + 4).as_bytes());
    bytes.freeze()
}

/// What becomes `GIT_PROTOCOL`, if it looks like it.
fn protocol_of(headers: &HeaderMap) -> Option<String> {
    protocol_checked(headers.get("git-protocol")?.to_str().ok()?)
}

/// A `GIT_PROTOCOL` that may go into git's environment.
pub(crate) fn protocol_checked(text: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'=' | b':' | b'-' | b'_' | b'.');
    (text.len() <= PROTOCOL_BYTES_MAX && text.bytes().all(plain)).then(|| text.to_owned())
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache, max-age=0, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::EXPIRES, "Fri, 01 Jan 1980 00:00:00 GMT"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_protocol_2_fetches_go_without_an_announcement() {
        assert!(announcement(Service::UploadPack, Some("version=2")).is_empty());
        let announced = announcement(Service::ReceivePack, Some("version=2"));
        assert_eq!(&announced[..], b"001f# service=git-receive-pack\n0000");
        assert_eq!(&announcement(Service::UploadPack, None)[..], b"001e# service=git-upload-pack\n0000");
    }

    #[test]
    fn a_protocol_with_other_characters_is_dropped() {
        assert_eq!(protocol_checked("version=2").as_deref(), Some("version=2"));
        assert_eq!(protocol_checked("version=2\nX"), None);
        assert_eq!(protocol_checked(&"a".repeat(300)), None);
    }
}
