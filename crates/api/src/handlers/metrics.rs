//! `/metrics`: what the platform measures, for Prometheus.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::state::Api;

pub(crate) async fn page(State(api): State<Api>, Authorized(caller): Authorized) -> Result<Response, ApiError> {
    caller.require_administrator_to_read()?;
    let metrics = api.metrics.clone().ok_or_else(|| ApiError::not_found("this server measures nothing"))?;
    let page = metrics.page().await;
    Ok(([(header::CONTENT_TYPE, page.content_type)], page.text).into_response())
}
