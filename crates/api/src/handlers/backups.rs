//! `/ambo/backups`: archives of the whole platform, for administrators.

use std::sync::Arc;

use ambo_api_types::{Backup, BackupArchive, BackupCreate};
use ambo_controller::accounts::Caller;
use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, header};

use crate::auth::Authorized;
use crate::backups::{Backups, BackupsError};
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

impl From<BackupsError> for ApiError {
    fn from(error: BackupsError) -> Self {
        match error {
            BackupsError::Invalid(text) => Self::invalid(text),
            BackupsError::Busy => Self::conflict(error.to_string()),
            BackupsError::Unavailable(text) => Self::unavailable(text),
        }
    }
}

fn backups(api: &Api, caller: &Caller) -> Result<Arc<dyn Backups>, ApiError> {
    caller.require_administrator()?;
    api.backups.clone().ok_or_else(|| ApiError::not_found("this server makes no backups"))
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
) -> Result<Answer<Vec<BackupArchive>>, ApiError> {
    Ok(Answer(backups(&api, &caller)?.list().await?))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(create): Json<BackupCreate>,
) -> Result<Answer<Backup>, ApiError> {
    Ok(Answer(backups(&api, &caller)?.begin(create).await?))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(backup): Path<String>,
) -> Result<Answer<Backup>, ApiError> {
    let backups = backups(&api, &caller)?;
    let found = match backup.parse() {
        Ok(id) => backups.find(id).await,
        Err(_) => None,
    };
    let unknown = || ApiError::not_found("no such backup is known: the platform may have restarted meanwhile");
    found.map(Answer).ok_or_else(unknown)
}

pub(crate) async fn download(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(create): Json<BackupCreate>,
) -> Result<Response, ApiError> {
    let archive = backups(&api, &caller)?.download(create).await?;
    let mut response = Response::new(Body::from_stream(archive));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
