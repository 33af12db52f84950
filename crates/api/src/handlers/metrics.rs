//! `/metrics`: what the platform measures, for Prometheus; `/ambo/apps/{app}/metrics`: the same of one app, for people.

use std::sync::Arc;

use ambo_api_types::AppMetrics;
use ambo_controller::accounts::Permission;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::path::Path;
use crate::state::Api;

pub(crate) async fn page(State(api): State<Api>, Authorized(caller): Authorized) -> Result<Response, ApiError> {
    caller.require_administrator_to_read()?;
    let page = metrics(&api)?.page().await;
    Ok(([(header::CONTENT_TYPE, page.content_type)], page.text).into_response())
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<AppMetrics>, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Read).await?;
    Ok(Answer(metrics(&api)?.app(app.id).await))
}

fn metrics(api: &Api) -> Result<Arc<dyn Metrics>, ApiError> {
    api.metrics.clone().ok_or_else(|| ApiError::not_found("this server measures nothing"))
}
