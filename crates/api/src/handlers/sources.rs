//! `/sources`: where CI tools put a source before they ask for a build of it.

use ambo_api_types::{Source, SourceUrls};
use ambo_controller::accounts::Permission;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use tokio_util::io::ReaderStream;

use super::upload;
use crate::answer::Created;
use crate::auth::Authorized;
use crate::error::ApiError;
use crate::path::Path;
use crate::source_fetch::SOURCES_PATH;
use crate::state::Api;
use crate::wire::BaseUrl;

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
) -> Result<Created<Source>, ApiError> {
    caller.require_global()?;
    make(&api, &base)
}

fn make(api: &Api, base: &BaseUrl) -> Result<Created<Source>, ApiError> {
    let secrets = api.sources.create(api.now().into()).map_err(|error| upload::disk(&error))?;
    let full = "there are too many sources at the moment: each goes an hour after it was made, so try again later";
    let secrets = secrets.ok_or_else(|| ApiError::unavailable(full))?;
    let url = |secret: &str| format!("{}{SOURCES_PATH}{secret}", base.0);
    let source_blob = SourceUrls { get_url: url(&secrets.get), put_url: url(&secrets.put) };
    Ok(Created(Source { source_blob }))
}

/// The same, asked for by those who may deploy the app.
pub(crate) async fn create_for_app(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
) -> Result<Created<Source>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    make(&api, &base)
}

fn unknown() -> ApiError {
    ApiError::not_found("there is no such source: it is kept for an hour, so make another one with `POST /sources`")
        .of_resource("source")
}

pub(crate) async fn receive(
    State(api): State<Api>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    if !api.sources.is_wanted(&secret, api.now().into()) {
        return Err(unknown());
    }
    let uploaded = upload::receive(&api, request).await?;
    api.sources.store(&secret, uploaded).map_err(|error| upload::disk(&error))?;
    Ok(StatusCode::OK)
}

pub(crate) async fn download(State(api): State<Api>, Path(secret): Path<String>) -> Result<Response, ApiError> {
    let path = api.sources.find(&secret, api.now().into()).ok_or_else(unknown)?;
    let file = tokio::fs::File::open(path).await.map_err(|_| unknown())?;
    let size = file.metadata().await.map_err(|error| ApiError::internal(&error))?.len();
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}
