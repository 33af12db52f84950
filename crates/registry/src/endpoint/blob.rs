//! Blobs over HTTP (end-2, end-10).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{Method, StatusCode};

use super::parameters::{Asked, asked_range};
use crate::access::Action;
use crate::digest::Digest;
use crate::error::Error;
use crate::name::RepositoryName;
use crate::registry::Inner;

pub(super) async fn blob_get(
    registry: &Inner,
    request: &Parts,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Pull).await?;
    let found = registry.contents.blob_find(&repository, digest).await?;
    let size = found.ok_or_else(|| Error::BlobUnknown(digest.clone()))?;
    let (status, range) = match asked_range(&request.headers, size) {
        Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Unsatisfiable(asked) => return Err(Error::RangeUnsatisfiable { asked, size }),
    };
    let mut response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, range.end - range.start)
        .header(ACCEPT_RANGES, "bytes")
        .header(ETAG, format!("\"{digest}\""))
        .header("Docker-Content-Digest", digest.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        response = response.header(CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    let body = match request.method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(registry.contents.blob_read(digest, range).await?),
    };
    response.body(body).map_err(|error| Error::ParameterInvalid(error.to_string()))
}

pub(super) async fn blob_delete(
    registry: &Inner,
    request: &Parts,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Delete).await?;
    registry.contents.blob_unlink(&repository, digest).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
