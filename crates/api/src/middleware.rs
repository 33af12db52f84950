//! What happens around every request: an id, a log line, a deadline, an answer even after a panic.

use std::any::Any;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tracing::Instrument;
use uuid::Uuid;

use crate::error::ApiError;
use crate::rate::Remaining;

/// Longest time for an answer that is no stream. A change may wait for a deploy that is under way.
pub(crate) const REQUEST_DURATION_MAX: Duration = Duration::from_secs(15 * 60);

const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Gives the request an id, tells it to the client, and logs the request by its route: paths may hold secrets. What the
/// client sends as `Request-Id` grows with each of its requests and is ignored.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let remaining = Remaining::default();
    request.extensions_mut().insert(remaining.clone());
    let id = Uuid::new_v4();
    let route = request.extensions().get::<MatchedPath>().map_or("(unknown)", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", %id, method = %request.method(), route);
    let started = tokio::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), took_ms, "answered"));
    let status = response.status();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(left) = remaining.0.get().copied().or_else(|| (status == StatusCode::TOO_MANY_REQUESTS).then_some(0)) {
        headers.insert(RATE_LIMIT_REMAINING, HeaderValue::from(left));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Ends a request that takes too long.
pub(crate) async fn deadline(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_DURATION_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable("the platform took too long to answer: see with a `GET` what has become of it")
            .into_response(),
    }
}

/// The answer after a panic.
#[allow(clippy::needless_pass_by_value, reason = "the layer hands the panic's value over")]
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)"), "a handler panicked");
    ApiError::failed().into_response()
}

/// The answer where nothing is.
pub(crate) async fn nothing_here() -> Response {
    ApiError::not_found("there is nothing at this path: see the API's reference").into_response()
}

/// The answer to a method that a path does not take.
pub(crate) async fn no_such_method() -> (StatusCode, Response) {
    (StatusCode::METHOD_NOT_ALLOWED, ApiError::method_not_allowed().into_response())
}
