//! What Heroku offers and Ambo does not: empty lists, so that Heroku's clients go on.

use ambo_controller::accounts::Permission;
use ambo_model::Timestamp;
use axum::Json as Answer;
use axum::extract::State;
use serde_json::{Value, json};

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::path::Path;
use crate::sizes::SIZES;
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

/// Features that can be switched on: there are none.
pub(crate) async fn no_feature_of_account(_: Authorized, Path(name): Path<String>) -> ApiError {
    unknown_feature(&name)
}

pub(crate) async fn no_feature_of_app(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, name)): Path<(String, String)>,
) -> Result<(), ApiError> {
    api.controller.app_find(&caller, &app, Permission::Read).await?;
    Err(unknown_feature(&name))
}

fn unknown_feature(name: &str) -> ApiError {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    ApiError::not_found(format!("Couldn't find that feature: Ambo has no `{name}` to switch on or off"))
        .of_resource("feature")
}

/// One region. Clients know those of its provider by name, and ours is none of them.
pub(crate) async fn regions(State(api): State<Api>, _: Authorized) -> Answer<Value> {
    let (region, began) = (named("region", "us"), Timestamp::UNIX_EPOCH);
    let domain = &api.controller.settings.domain;
    Answer(json!([{
        "id": region.id, "name": region.name, "description": format!("this platform ({domain})"),
        "country": "here", "locale": domain, "private_capable": false,
        "provider": { "name": "ambo", "region": "us-east-1" }, "created_at": began, "updated_at": began,
    }]))
}

pub(crate) async fn stacks(_: Authorized) -> Answer<Value> {
    let (stack, began) = (named("stack", "container"), Timestamp::UNIX_EPOCH);
    Answer(json!([{
        "id": stack.id, "name": stack.name, "default": true, "state": "public", "created_at": began, "updated_at": began,
    }]))
}

/// `GET /dyno-sizes`
pub(crate) async fn dyno_sizes(_: Authorized) -> Answer<Vec<Value>> {
    let size = |(name, mib): &(&str, u64)| {
        let (size, generation) = (named("size", name), named("generation", "cedar"));
        let memory = f64::from(u32::try_from(*mib).unwrap_or(u32::MAX)) / 1024.0;
        json!({
            "id": size.id, "name": size.name, "memory": memory, "architecture": std::env::consts::ARCH, "compute": 0,
            "cost": null, "dedicated": false, "generation": generation, "precise_dyno_units": 0.0,
            "private_space_only": false,
        })
    };
    Answer(SIZES.iter().map(size).collect())
}
