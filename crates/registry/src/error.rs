//! What goes wrong, and how the wire says it: the single map from errors to status codes and error bodies.

use std::time::Duration;

use ambo_model::ByteSize;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use hyper::ext::ReasonPhrase;
use serde_json::json;

use crate::access::Denied;
use crate::digest::{Digest, DigestError};
use crate::name::{Reference, RepositoryName, RepositoryNameError, Tag};
use crate::store::StoreError;

/// Most errors that one answer lists.
const ERRORS_LISTED_MAX: usize = 100;

/// Docker reads no body of a 5xx: it shows the reason phrase, and by these words alone knows that trying the same layer
/// again for a minute is no use.
const REASON_FULL: ReasonPhrase = ReasonPhrase::from_static(b"no space left on device");

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("blob `{0}` is not in this repository")]
    BlobUnknown(Digest),
    #[error("no such upload: it was finished, cancelled or has expired; start a new one")]
    UploadUnknown,
    #[error("another request is writing to this upload: wait for it to end")]
    UploadBusy,
    #[error("{uploads_max} uploads are under way: try again later")]
    UploadsTooMany { uploads_max: usize },
    #[error("the chunk does not start where the upload ends: resume at byte {offset}")]
    ChunkOutOfOrder { location: String, offset: u64 },
    #[error("the content has digest `{actual}`, not `{expected}`")]
    DigestMismatch { expected: Digest, actual: Digest },
    #[error("parameter `digest` is missing")]
    DigestMissing,
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error("{0}")]
    Size(String),
    #[error("a blob may have at most {0}")]
    BlobTooLarge(ByteSize),
    #[error("bytes {asked} of {size} cannot be given")]
    RangeUnsatisfiable { asked: String, size: u64 },
    #[error("the manifest refers to content that is not in this repository: push it first")]
    ManifestBlobUnknown(Vec<Digest>),
    #[error("{0}")]
    ManifestInvalid(String),
    #[error("a manifest may have at most {0}")]
    ManifestTooLarge(ByteSize),
    #[error("manifest `{0}` is not in this repository")]
    ManifestUnknown(Reference),
    #[error("tag `{0}` was written by another controller meanwhile: push again")]
    TagMoved(Tag),
    #[error("`{0}` is neither a tag nor a digest")]
    ReferenceInvalid(String),
    #[error(transparent)]
    NameInvalid(#[from] RepositoryNameError),
    #[error("no repository `{0}`: it starts with the name of an app that you have access to")]
    NameUnknown(RepositoryName),
    #[error("no such page; the registry answers under `/v2/`")]
    PathUnknown,
    #[error("`{0}` is not possible here")]
    MethodUnsupported(Method),
    #[error("{0}")]
    ParameterInvalid(String),
    #[error("{message}")]
    Unauthorized { challenge: String, message: String },
    #[error("{0}")]
    Denied(String),
    #[error("{message}")]
    Throttled { retry_after: Duration, message: String },
    #[error("the registry's disk is full: free some space, or ask the platform's administrator to")]
    Full,
    #[error("no data came for {} seconds", .0.as_secs())]
    BodyStalled(Duration),
    #[error("the request's body ended early")]
    BodyBroken(#[source] axum::Error),
    #[error("access cannot be checked")]
    Access(#[source] Denied),
    #[error("stage an upload")]
    Staging(#[source] std::io::Error),
    #[error(transparent)]
    Store(StoreError),
    #[error("stored manifest `{0}` is damaged or gone")]
    Damaged(Digest),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::Full,
            failed @ (StoreError::Failed { .. } | StoreError::Bucket(_)) => Self::Store(failed),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Staging(error),
        }
    }
}

impl Error {
    /// The specification's code (those past `UNSUPPORTED` are ours, as it allows), and the status.
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BlobUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::UploadBusy => (StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID"),
            Self::UploadsTooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Self::ChunkOutOfOrder { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            Self::DigestMismatch { .. } | Self::DigestMissing | Self::Digest(_) => {
                (StatusCode::BAD_REQUEST, "DIGEST_INVALID")
            }
            Self::Size(_) => (StatusCode::BAD_REQUEST, "SIZE_INVALID"),
            Self::BlobTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            Self::RangeUnsatisfiable { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID"),
            Self::ManifestBlobUnknown(_) => (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN"),
            Self::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID"),
            Self::ManifestUnknown(_) => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ReferenceInvalid(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::NameInvalid(_) => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            Self::NameUnknown(_) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::PathUnknown => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::MethodUnsupported(_) => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::ParameterInvalid(_) => (StatusCode::BAD_REQUEST, "UNSUPPORTED"),
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::Denied(_) => (StatusCode::FORBIDDEN, "DENIED"),
            Self::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Self::Full => (StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL"),
            Self::BodyStalled(_) => (StatusCode::REQUEST_TIMEOUT, "BLOB_UPLOAD_INVALID"),
            Self::BodyBroken(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::Access(_) | Self::TagMoved(_) => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            Self::Staging(_) | Self::Store(_) | Self::Damaged(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    fn body(&self) -> serde_json::Value {
        let (_, code) = self.code();
        let one =
            |message: String, detail: serde_json::Value| json!([{"code": code, "message": message, "detail": detail}]);
        let message = self.to_string();
        let errors = match self {
            Self::ManifestBlobUnknown(digests) => {
                let listed = digests.iter().take(ERRORS_LISTED_MAX);
                listed.map(|digest| json!({"code": code, "message": message, "detail": {"digest": digest}})).collect()
            }
            Self::BlobUnknown(digest) => one(message, json!({"digest": digest})),
            Self::DigestMismatch { expected, actual } => one(message, json!({"digest": expected, "actual": actual})),
            Self::ChunkOutOfOrder { offset, .. } => one(message, json!({"offset": offset})),
            // What happened inside is for the log, not for the client.
            Self::Staging(_) | Self::Store(_) | Self::Damaged(_) => {
                one("the registry failed: try again, and see its log if that does not help".to_owned(), json!(null))
            }
            _ => one(message, json!(null)),
        };
        json!({"errors": errors})
    }

    fn headers(&self) -> Vec<(HeaderName, String)> {
        match self {
            Self::Unauthorized { challenge, .. } => vec![(WWW_AUTHENTICATE, challenge.clone())],
            Self::ChunkOutOfOrder { location, offset } => {
                vec![(LOCATION, location.clone()), (RANGE, upload_range(*offset))]
            }
            Self::RangeUnsatisfiable { size, .. } => vec![(http::header::CONTENT_RANGE, format!("bytes */{size}"))],
            Self::Throttled { retry_after, .. } => vec![(RETRY_AFTER, retry_after.as_secs().max(1).to_string())],
            Self::UploadBusy | Self::UploadsTooMany { .. } | Self::TagMoved(_) => vec![(RETRY_AFTER, "5".to_owned())],
            _ => Vec::new(),
        }
    }

    fn log(&self) {
        let cause = std::error::Error::source(self).map(ToString::to_string).unwrap_or_default();
        match self.code().0 {
            StatusCode::INSUFFICIENT_STORAGE => tracing::error!("registry: the disk is full"),
            status if status.is_server_error() => tracing::error!(%cause, "registry: {self}"),
            _ => tracing::debug!(%cause, "registry: {self}"),
        }
    }
}

/// How far an upload got, in the specification's words: the last byte's position, `0-0` also when there is none.
pub(crate) fn upload_range(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let mut response = (self.code().0, self.body().to_string()).into_response();
        if matches!(self, Self::Full) {
            response.extensions_mut().insert(REASON_FULL);
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in self.headers() {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
