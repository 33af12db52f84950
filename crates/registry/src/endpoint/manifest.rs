//! Manifests over HTTP (end-3, end-7, end-9).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use http::request::Parts;
use http::{Method, StatusCode};

use super::parameters::content_length;
use crate::access::Action;
use crate::error::Error;
use crate::manifest::MANIFEST_BYTES_MAX;
use crate::name::{Reference, RepositoryName};
use crate::registry::Inner;

pub(super) async fn manifest_get(
    registry: &Inner,
    request: &Parts,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Pull).await?;
    let (digest, link) = registry.contents.manifest_resolve(&repository, reference).await?;
    let body = match request.method {
        Method::HEAD => Body::empty(),
        _ => Body::from(registry.contents.manifest_read(&digest).await?),
    };
    Response::builder()
        .header(CONTENT_TYPE, link.media_type)
        .header(CONTENT_LENGTH, link.size)
        .header(ETAG, format!("\"{digest}\""))
        .header("Docker-Content-Digest", digest.to_string())
        .body(body)
        .map_err(|error| Error::ManifestInvalid(error.to_string()))
}

pub(super) async fn manifest_put(
    registry: &Inner,
    request: &Parts,
    body: Body,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Push).await?;
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).map(|value| value.trim().to_owned());
    let body = read(registry, request, body).await?;
    let put = registry.contents.manifest_put(&repository, reference, media_type.as_deref(), body).await?;
    let mut headers = vec![
        (LOCATION, format!("/v2/{name}/manifests/{}", put.digest)),
        (HeaderName::from_static("docker-content-digest"), put.digest.to_string()),
    ];
    headers.extend(put.subject.map(|subject| (HeaderName::from_static("oci-subject"), subject.to_string())));
    let mut response = StatusCode::CREATED.into_response();
    for (name, value) in headers {
        let value = value.parse().map_err(|_| Error::ManifestInvalid("a header cannot be written".to_owned()))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

pub(super) async fn manifest_delete(
    registry: &Inner,
    request: &Parts,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Delete).await?;
    match reference {
        Reference::Digest(digest) => registry.contents.manifest_remove(&repository, digest).await?,
        Reference::Tag(tag) => {
            if !registry.contents.tag_remove(&repository, tag).await? {
                return Err(Error::ManifestUnknown(reference.clone()));
            }
        }
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Reads a body of bounded size.
async fn read(registry: &Inner, request: &Parts, body: Body) -> Result<Bytes, Error> {
    let too_large = || Error::ManifestTooLarge(MANIFEST_BYTES_MAX);
    let length = content_length(&request.headers).unwrap_or(0);
    if length > MANIFEST_BYTES_MAX.as_u64() {
        return Err(too_large());
    }
    let idle_max = registry.settings.body_idle_max;
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    loop {
        match tokio::time::timeout(idle_max, stream.next()).await {
            Err(_) => return Err(Error::BodyStalled(idle_max)),
            Ok(None) => return Ok(bytes.freeze()),
            Ok(Some(piece)) => bytes.extend_from_slice(&piece.map_err(Error::BodyBroken)?),
        }
        if bytes.len() as u64 > MANIFEST_BYTES_MAX.as_u64() {
            return Err(too_large());
        }
    }
}
