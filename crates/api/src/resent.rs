//! Creates that are sent twice: Heroku's client sends a `POST` again when the connection was reset, with the same
//! `Request-Id`. What has been done once is not done again; the second request gets the first one's answer.
//!
//! A request without a `Request-Id` is always done. So is one whose first answer was an error.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::body;
use crate::error::ApiError;
use crate::state::Api;

/// How long an answer is kept: clients that send again do so within seconds.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Most answers that are kept.
const KEPT_MAX: usize = 2000;
/// Largest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest id that tells requests apart, in bytes.
const ID_BYTES_MAX: usize = 100;

type Key = [u8; 32];
type Cell = Arc<OnceCell<Kept>>;

/// The answers to the creates of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Resent {
    cells: Mutex<HashMap<Key, (Cell, Instant)>>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug, Clone)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Does a `POST` once, however often it is sent. It is done to its end even when the client leaves: the client that comes
/// back must not find half of it.
pub(crate) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(id) = id(&request) else { return next.run(request).await };
    let (head, payload) = request.into_parts();
    let payload = match body::read_limited(payload).await {
        Ok(payload) => payload,
        Err(error) => return error.into_response(),
    };
    let authorization = head.headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    let key = key(&[&authorization.unwrap_or_default(), head.uri.to_string().as_bytes(), id.as_bytes(), &payload]);
    let (cell, shared) = (api.resent.cell(key, Instant::now()), Arc::clone(&api.resent));
    let request = Request::from_parts(head, Body::from(payload));
    let (sender, receiver) = oneshot::channel();
    api.resent.spawn(async move {
        let kept = cell.get_or_init(|| async { Kept::of(next.run(request).await).await }).await.clone();
        if !kept.status.is_success() || kept.body.len() > ANSWER_BYTES_MAX {
            shared.forget(&key);
        }
        // A client that has left gets it when it comes back.
        let _ = sender.send(kept);
    });
    match receiver.await {
        Ok(kept) => kept.into_response(),
        Err(_) => ApiError::failed().into_response(),
    }
}

fn id(request: &Request) -> Option<String> {
    if request.method() != Method::POST {
        return None;
    }
    // Heroku's client puts the newest of its ids first.
    let ids = request.headers().get("request-id")?.to_str().ok()?;
    let id = ids.split(',').next()?.trim();
    (!id.is_empty() && id.len() <= ID_BYTES_MAX).then(|| id.to_owned())
}

fn key(parts: &[&[u8]]) -> Key {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

impl Resent {
    fn cell(&self, key: Key, now: Instant) -> Cell {
        let mut cells = self.cells.lock();
        if cells.len() >= KEPT_MAX {
            cells.retain(|_, (_, at)| now.duration_since(*at) < KEPT_FOR);
        }
        if cells.len() >= KEPT_MAX {
            // Rather done twice than not at all.
            return Cell::default();
        }
        let (cell, at) = cells.entry(key).or_insert_with(|| (Cell::default(), now));
        if now.duration_since(*at) >= KEPT_FOR {
            (*cell, *at) = (Cell::default(), now);
        }
        Arc::clone(cell)
    }

    fn forget(&self, key: &Key) {
        self.cells.lock().remove(key);
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }
}

impl Kept {
    async fn of(response: Response) -> Self {
        let (head, payload) = response.into_parts();
        match payload.collect().await {
            Ok(payload) => Self { status: head.status, headers: head.headers, body: payload.to_bytes() },
            Err(_) => Self { status: StatusCode::INTERNAL_SERVER_ERROR, headers: HeaderMap::new(), body: Bytes::new() },
        }
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
