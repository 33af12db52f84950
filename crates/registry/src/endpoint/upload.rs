//! Uploads over HTTP (end-4a, end-4b, end-5, end-6, end-11, end-13).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderName, LOCATION, RANGE};
use http::request::Parts;
use uuid::Uuid;

use super::parameters::{content_length, content_range, parameter};
use crate::access::Action;
use crate::digest::{Algorithm, Digest};
use crate::error::{Error, upload_range};
use crate::layout::Repository;
use crate::name::RepositoryName;
use crate::registry::Inner;
use crate::upload::{BodyLimits, Upload};

/// Begins an upload; or does all of it at once, with `digest`; or takes the blob from another repository, with `mount`.
pub(super) async fn upload_start(
    registry: &Inner,
    request: &Parts,
    body: Body,
    name: &RepositoryName,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Push).await?;
    if let Some(mounted) = mount(registry, request, &repository).await? {
        return Ok(created(name, &mounted));
    }
    let Some(digest) = parameter(request, "digest") else {
        let algorithm = match parameter(request, "digest-algorithm") {
            None => Algorithm::Sha256,
            Some(text) => Algorithm::parse(&text).ok_or_else(|| {
                Error::ParameterInvalid("parameter `digest-algorithm` is neither `sha256` nor `sha512`".to_owned())
            })?,
        };
        let upload = registry.uploads.start(&repository, algorithm).await?;
        return Ok(progress(StatusCode::ACCEPTED, name, &upload));
    };
    let digest = Digest::parse(&digest)?;
    let length = content_length(&request.headers);
    let mut upload = registry.uploads.start(&repository, digest.algorithm()).await?;
    let received = upload.receive(body, limits(registry)).await;
    let checked = received.and_then(|received| check_length(received, length));
    match checked {
        Ok(()) => finish(registry, upload, &digest).await?,
        Err(error) => {
            // Nobody knows its id, so nobody can resume it.
            registry.uploads.remove(upload).await?;
            return Err(error);
        }
    }
    Ok(created(name, &digest))
}

/// end-13: how far did it get?
pub(super) async fn upload_status(
    registry: &Inner,
    request: &Parts,
    name: &RepositoryName,
    id: Option<Uuid>,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Push).await?;
    let upload = registry.uploads.resume(&repository, id.ok_or(Error::UploadUnknown)?).await?;
    Ok(progress(StatusCode::NO_CONTENT, name, &upload))
}

/// end-5: adds a chunk, at the place that `Content-Range` says; without it, all that comes.
pub(super) async fn upload_chunk(
    registry: &Inner,
    request: &Parts,
    body: Body,
    name: &RepositoryName,
    id: Option<Uuid>,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Push).await?;
    let mut upload = registry.uploads.resume(&repository, id.ok_or(Error::UploadUnknown)?).await?;
    match add_chunk(registry, request, body, name, &mut upload).await {
        Ok(()) => Ok(progress(StatusCode::ACCEPTED, name, &upload)),
        Err(error) => Err(give_up(registry, upload, error).await),
    }
}

/// end-6: adds what is left, verifies the whole and makes it a blob.
pub(super) async fn upload_finish(
    registry: &Inner,
    request: &Parts,
    body: Body,
    name: &RepositoryName,
    id: Option<Uuid>,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Push).await?;
    let digest = Digest::parse(&parameter(request, "digest").ok_or(Error::DigestMissing)?)?;
    let mut upload = registry.uploads.resume(&repository, id.ok_or(Error::UploadUnknown)?).await?;
    upload.expect(digest.algorithm());
    if let Err(error) = add_chunk(registry, request, body, name, &mut upload).await {
        return Err(give_up(registry, upload, error).await);
    }
    finish(registry, upload, &digest).await?;
    Ok(created(name, &digest))
}

pub(super) async fn upload_cancel(
    registry: &Inner,
    request: &Parts,
    name: &RepositoryName,
    id: Option<Uuid>,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Push).await?;
    let upload = registry.uploads.resume(&repository, id.ok_or(Error::UploadUnknown)?).await?;
    registry.uploads.remove(upload).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// end-11: the digest, when the blob could be taken from elsewhere. Whatever stands against it, the client uploads.
async fn mount(registry: &Inner, request: &Parts, to: &Repository) -> Result<Option<Digest>, Error> {
    let Some(digest) = parameter(request, "mount").and_then(|text| Digest::parse(&text).ok()) else {
        return Ok(None);
    };
    if registry.contents.blob_find(to, &digest).await?.is_some() {
        return Ok(Some(digest));
    }
    let Some(from) = parameter(request, "from").and_then(|text| RepositoryName::parse(&text).ok()) else {
        return Ok(None);
    };
    let Some(from) = registry.authorize_source(request, &from).await else { return Ok(None) };
    Ok(registry.contents.blob_mount(&from, to, &digest).await?.then_some(digest))
}

async fn add_chunk(
    registry: &Inner,
    request: &Parts,
    body: Body,
    name: &RepositoryName,
    upload: &mut Upload,
) -> Result<(), Error> {
    let start = upload.offset();
    let length = content_length(&request.headers);
    let length = match content_range(&request.headers) {
        None => length,
        Some(Ok(range)) if range.start == start => {
            let announced = range.end - range.start;
            if length.is_some_and(|length| length != announced) {
                return Err(Error::Size("`Content-Length` and `Content-Range` do not agree".to_owned()));
            }
            Some(announced)
        }
        // A final request without a body may repeat the whole range.
        Some(Ok(range)) if length == Some(0) && range == (0..start) => Some(0),
        Some(_) => return Err(Error::ChunkOutOfOrder { location: location(name, upload), offset: start }),
    };
    let received = upload.receive(body, limits(registry)).await?;
    if let Err(error) = check_length(received, length) {
        upload.truncate(start).await?;
        return Err(error);
    }
    Ok(())
}

fn check_length(received: u64, announced: Option<u64>) -> Result<(), Error> {
    match announced {
        Some(announced) if announced != received => {
            Err(Error::Size(format!("{announced} bytes were announced, but {received} came")))
        }
        _ => Ok(()),
    }
}

/// Verifies an upload and publishes it. The upload is gone afterwards, whether this succeeds or not, unless a retry of
/// the same request could succeed.
async fn finish(registry: &Inner, mut upload: Upload, digest: &Digest) -> Result<(), Error> {
    let repository = upload.repository().clone();
    let published = match upload.verify(digest).await {
        Ok((staged, size)) => registry.contents.blob_publish(&repository, digest, size, &staged).await,
        Err(error) => Err(error),
    };
    match published {
        Ok(()) => registry.uploads.remove(upload).await,
        Err(error) => Err(give_up(registry, upload, error).await),
    }
}

/// Frees the upload when the error leaves nothing that could be resumed. Gives the error back.
async fn give_up(registry: &Inner, upload: Upload, error: Error) -> Error {
    if matches!(error, Error::Full | Error::BlobTooLarge(_) | Error::DigestMismatch { .. }) {
        // The first error is the one to tell; expiry removes what could not be removed now.
        let _ = registry.uploads.remove(upload).await;
    }
    error
}

fn limits(registry: &Inner) -> BodyLimits {
    BodyLimits { size_max: registry.settings.blob_size_max, idle_max: registry.settings.body_idle_max }
}

fn location(name: &RepositoryName, upload: &Upload) -> String {
    format!("/v2/{name}/blobs/uploads/{}", upload.id)
}

fn progress(status: StatusCode, name: &RepositoryName, upload: &Upload) -> Response {
    let headers = [
        (LOCATION, location(name, upload)),
        (RANGE, upload_range(upload.offset())),
        (HeaderName::from_static("docker-upload-uuid"), upload.id.to_string()),
    ];
    (status, headers).into_response()
}

fn created(name: &RepositoryName, digest: &Digest) -> Response {
    let headers = [
        (LOCATION, format!("/v2/{name}/blobs/{digest}")),
        (HeaderName::from_static("docker-content-digest"), digest.to_string()),
        (CONTENT_LENGTH, "0".to_owned()),
    ];
    (StatusCode::CREATED, headers).into_response()
}
