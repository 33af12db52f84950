//! `/apps/{app}/log-drains`

use ambo_api_types::{LogDrain, LogDrainCreate};
use ambo_controller::accounts::Permission;
use ambo_controller::drains::DrainView;
use ambo_model::App;
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Attribute, Key, Page, Range};
use crate::state::Api;
use crate::wire::app_reference;

const ATTRIBUTES: [Attribute<LogDrain>; 1] = [("id", |drain| Key::Text(drain.id.to_string()))];

fn wire(app: &App, view: &DrainView) -> LogDrain {
    LogDrain {
        id: view.drain.id.uuid(),
        addon: None,
        app: Some(app_reference(app)),
        token: view.drain.token.to_string(),
        url: view.url.clone(),
        created_at: view.drain.created_at,
        updated_at: view.drain.created_at,
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<LogDrain>, ApiError> {
    let (app, drains) = api.controller.drain_list(&caller, &app).await?;
    Ok(range.page(&ATTRIBUTES, drains.iter().map(|view| wire(&app, view)).collect()))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(wanted): Json<LogDrainCreate>,
) -> Result<Created<LogDrain>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let (app, view) = api.controller.drain_create(&caller, &app, &wanted.url, api.now()).await?;
    Ok(Created(wire(&app, &view)))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, drain)): Path<(String, String)>,
) -> Result<Answer<LogDrain>, ApiError> {
    let (app, view) = api.controller.drain_find(&caller, &app, &drain).await?;
    Ok(Answer(wire(&app, &view)))
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, drain)): Path<(String, String)>,
) -> Result<Answer<LogDrain>, ApiError> {
    let (app, view) = api.controller.drain_remove(&caller, &app, &drain).await?;
    Ok(Answer(wire(&app, &view)))
}
