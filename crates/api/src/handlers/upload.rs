//! A source archive on its way to the disk: never in memory as a whole.

use std::time::Duration;

use axum::extract::Request;
use bytes::Bytes;
use futures::StreamExt;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

use crate::error::ApiError;
use crate::state::Api;

/// Longest pause within an upload.
const CHUNK_DURATION_MAX: Duration = Duration::from_secs(60);

/// Receives a request's body into a file that goes when the path is dropped.
pub(super) async fn receive(api: &Api, request: Request) -> Result<TempPath, ApiError> {
    let (directory, bytes_max) = (api.settings.uploads.clone(), api.settings.upload_bytes_max);
    let made = tokio::task::spawn_blocking(move || tempfile::Builder::new().prefix("upload-").tempfile_in(directory));
    let (file, path) = made.await.map_err(|error| ApiError::internal(&error))?.map_err(|e| disk(&e))?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut body = request.into_body().into_data_stream();
    let mut received: u64 = 0;
    while let Some(chunk) = next(&mut body).await? {
        received = received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if received > bytes_max {
            let text = format!(
                "the archive is larger than {bytes_max} bytes: leave out what is not needed for the build, \
                                with a `.dockerignore` or `.gitignore`"
            );
            return Err(ApiError::too_large(text));
        }
        file.write_all(&chunk).await.map_err(|error| disk(&error))?;
    }
    file.flush().await.map_err(|error| disk(&error))?;
    if received == 0 {
        return Err(ApiError::invalid("the body is empty: send the source as a tar archive"));
    }
    Ok(path)
}

async fn next(body: &mut axum::body::BodyDataStream) -> Result<Option<Bytes>, ApiError> {
    match tokio::time::timeout(CHUNK_DURATION_MAX, body.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(_))) => Err(ApiError::bad_request("the upload broke off: send it again")),
        Err(_) => Err(ApiError::bad_request("the upload stalled: send it again")),
    }
}

pub(super) fn disk(error: &std::io::Error) -> ApiError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ApiError::disk_full(),
        _ => ApiError::internal(error),
    }
}
