//! `ETag` on what is read, and 304 for those who have it already.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// Bytes of the digest that an `ETag` shows.
const ETAG_BYTES: usize = 16;

/// Tags the answer to a `GET` by its content.
pub(crate) async fn conditional(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let had = request.headers().get(header::IF_NONE_MATCH).cloned();
    let (mut head, body) = next.run(request).await.into_parts();
    if !matches!(head.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Response::from_parts(head, body);
    }
    let Ok(body) = body.collect().await else { return ApiError::failed().into_response() };
    let body = body.to_bytes();
    let tag = tag(&head.headers, &body);
    let fresh = had.as_ref().and_then(|had| had.to_str().ok()).is_some_and(|had| names(had, &tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, value);
    }
    if fresh {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(body))
}

fn tag(headers: &HeaderMap, body: &[u8]) -> String {
    let mut digest = Sha256::new();
    // The same entries with more to follow are another page.
    digest.update(headers.get("next-range").map_or(b"".as_slice(), HeaderValue::as_bytes));
    digest.update([0]);
    digest.update(body);
    let digest = digest.finalize();
    let text: String = digest[..ETAG_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{text}\"")
}

/// Whether a client's list of tags holds ours.
fn names(had: &str, tag: &str) -> bool {
    had.split(',').map(str::trim).any(|had| had == "*" || had.trim_start_matches("W/") == tag)
}
