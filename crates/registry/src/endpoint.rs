//! The specification's endpoints: what a path means, and one file per noun that answers.

mod authorization;
mod blob;
mod manifest;
mod parameters;
mod referrer;
mod route;
mod tag;
mod token;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::HeaderValue;
use http::request::Parts;
use http::{Method, StatusCode};

use crate::error::Error;
use crate::registry::Inner;
use route::Route;

/// Longest request path and query, in bytes.
const TARGET_BYTES_MAX: usize = 8 * 1024;

pub(crate) fn router(registry: Arc<Inner>) -> Router {
    // Repository names hold slashes, so the paths are not told apart by the router but in `route`.
    Router::new()
        .route("/v2", axum::routing::any(answer))
        .route("/v2/", axum::routing::any(answer))
        .route("/v2/{*rest}", axum::routing::any(answer))
        .with_state(registry)
}

async fn answer(State(registry): State<Arc<Inner>>, request: Request) -> Response {
    let mut response = dispatch(&registry, request).await.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert("Docker-Distribution-API-Version", HeaderValue::from_static("registry/2.0"));
    response
}

async fn dispatch(registry: &Inner, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let request = &parts;
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        return Err(Error::ParameterInvalid(format!("the request's path is longer than {TARGET_BYTES_MAX} bytes")));
    }
    let (get, head) = (request.method == Method::GET, request.method == Method::HEAD);
    match (Route::parse(request.uri.path())?, request.method.clone()) {
        (Route::Base, _) if get || head => base(registry, request).await,
        (Route::Token, Method::GET) => token::token_get(registry, request).await,
        (Route::Token, Method::POST) => token::token_post(registry, request, body).await,
        (Route::Blob(name, digest), _) if get || head => blob::blob_get(registry, request, &name, &digest).await,
        (Route::Blob(name, digest), Method::DELETE) => blob::blob_delete(registry, request, &name, &digest).await,
        (Route::Uploads(name), Method::POST) => upload::upload_start(registry, request, body, &name).await,
        (Route::Upload(name, id), Method::GET) => upload::upload_status(registry, request, &name, id).await,
        (Route::Upload(name, id), Method::PATCH) => upload::upload_chunk(registry, request, body, &name, id).await,
        (Route::Upload(name, id), Method::PUT) => upload::upload_finish(registry, request, body, &name, id).await,
        (Route::Upload(name, id), Method::DELETE) => upload::upload_cancel(registry, request, &name, id).await,
        (Route::Manifest(name, reference), _) if get || head => {
            manifest::manifest_get(registry, request, &name, &reference).await
        }
        (Route::Manifest(name, reference), Method::PUT) => {
            manifest::manifest_put(registry, request, body, &name, &reference).await
        }
        (Route::Manifest(name, reference), Method::DELETE) => {
            manifest::manifest_delete(registry, request, &name, &reference).await
        }
        (Route::Tags(name), Method::GET) => tag::tag_list(registry, request, &name).await,
        (Route::Referrers(name, subject), Method::GET) => {
            referrer::referrer_list(registry, request, &name, &subject).await
        }
        (_, method) => Err(Error::MethodUnsupported(method)),
    }
}

/// end-1: is this a registry, and who am I?
async fn base(registry: &Inner, request: &Parts) -> Result<Response, Error> {
    registry.identify(request).await?;
    Ok((StatusCode::OK, [("Content-Type", "application/json")], "{}").into_response())
}
