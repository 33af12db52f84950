//! As much of a registry as a push and a pull need, in memory, in the test's own process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Who may push: `builder`, with a password whose base64 differs between the two alphabets.
pub(crate) const LOGIN: (&str, &str) = ("builder", "unused?>~");
const AUTHORIZED: &str = "Basic YnVpbGRlcjp1bnVzZWQ/Pn4=";

/// A running registry; it ends with this value.
pub(crate) struct Registry {
    pub(crate) host: String,
    pub(crate) state: Arc<Stored>,
    server: JoinHandle<()>,
}

#[derive(Default)]
pub(crate) struct Stored {
    /// Blobs by digest, manifests by `repository:reference` with their media type, uploads by number.
    content: Mutex<HashMap<String, (String, Bytes)>>,
    uploads: AtomicUsize,
    /// Whether anybody may pull and push.
    pub(crate) is_open: AtomicBool,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::<Stored>::default();
        let app = Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::disable())
            .layer(from_fn_with_state(Arc::clone(&state), login_ensure))
            .with_state(Arc::clone(&state));
        let server = tokio::task::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { host, state, server }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn login_ensure(State(state): State<Arc<Stored>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).is_some_and(|header| header == AUTHORIZED);
    if given || state.is_open.load(Ordering::Relaxed) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"test\"")]).into_response()
}

async fn handle(
    State(state): State<Arc<Stored>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().trim_start_matches("/v2/");
    let mut content = state.content.lock().await;
    if let Some((repository, upload)) = path.split_once("/blobs/uploads/") {
        let location = |id: &str| [(LOCATION, format!("/v2/{repository}/blobs/uploads/{id}"))];
        let id = if method == Method::POST {
            state.uploads.fetch_add(1, Ordering::Relaxed).to_string()
        } else {
            upload.to_owned()
        };
        let so_far = content.remove(&id).map(|(_, bytes)| bytes).unwrap_or_default();
        let whole = Bytes::from([so_far, body].concat());
        let digest = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("digest=")));
        return if let (Method::PUT, Some(digest)) = (method, digest) {
            content.insert(digest.replace("%3A", ":"), ("application/octet-stream".to_owned(), whole));
            (StatusCode::CREATED, location(&id)).into_response()
        } else {
            let range = [("range", format!("0-{}", whole.len().saturating_sub(1))), ("docker-upload-uuid", id.clone())];
            content.insert(id.clone(), (String::new(), whole));
            (StatusCode::ACCEPTED, location(&id), range).into_response()
        };
    }
    let key = match (path.split_once("/blobs/"), path.split_once("/manifests/")) {
        (Some((_, digest)), _) => digest.to_owned(),
        (_, Some((repository, reference))) => format!("{repository}:{reference}"),
        _ => return StatusCode::OK.into_response(),
    };
    if method == Method::PUT {
        let kind = headers[CONTENT_TYPE].to_str().unwrap().to_owned();
        let digest = digest_of(&body);
        let repository = path.split("/manifests/").next().unwrap();
        content.insert(format!("{repository}:{digest}"), (kind.clone(), body.clone()));
        content.insert(key, (kind, body));
        return (StatusCode::CREATED, [("docker-content-digest", digest)]).into_response();
    }
    let Some((kind, bytes)) = content.get(&key).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    let head = [
        (CONTENT_TYPE.as_str(), kind),
        (CONTENT_LENGTH.as_str(), bytes.len().to_string()),
        ("docker-content-digest", digest_of(&bytes)),
    ];
    if method == Method::HEAD { head.into_response() } else { (head, bytes).into_response() }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
