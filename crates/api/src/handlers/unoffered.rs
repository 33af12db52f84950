//! What Heroku offers and Ambo does not: empty lists, so that Heroku's clients go on.

use ambo_controller::accounts::Permission;
use axum::Json as Answer;
use axum::extract::State;
use serde_json::{Value, json};

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;
use crate::wire::named;

pub(crate) async fn none_of_account(_: Authorized) -> Answer<[Value; 0]> {
    Answer([])
}

pub(crate) async fn none_of_app(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<[Value; 0]>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Read).await?;
    Ok(Answer([]))
}

pub(crate) async fn regions(State(api): State<Api>, _: Authorized) -> Answer<Value> {
    let region = named("region", "us");
    let description = format!("this platform ({})", api.controller.settings.domain);
    Answer(json!([{ "id": region.id, "name": region.name, "description": description, "private_capable": false }]))
}

pub(crate) async fn stacks(_: Authorized) -> Answer<Value> {
    let stack = named("stack", "container");
    Answer(json!([{ "id": stack.id, "name": stack.name, "default": true, "state": "public" }]))
}
