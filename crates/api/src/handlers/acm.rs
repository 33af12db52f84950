//! `/apps/{app}/acm`: certificates that the platform would fetch by itself. It does not yet, and says so.

use ambo_api_types::App;
use ambo_controller::accounts::Permission;
use axum::Json as Answer;
use axum::extract::State;
use serde_json::{Value, json};

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;
use crate::wire::BaseUrl;

/// It is off, whatever is asked for.
pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<Value>, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Read).await?;
    Ok(Answer(json!({ "acm": false, "app": crate::wire::app_reference(&app) })))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<Value>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    Err(ApiError::invalid(
        "this platform does not fetch certificates by itself yet: have one issued for the app's domains and add it with \
         `certs:add CHAIN.pem KEY.pem`",
    ))
}

/// It is off already.
pub(crate) async fn remove(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
) -> Result<Answer<App>, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    Ok(Answer(super::apps::wire_one(&api, &caller, &base, &app).await?))
}
