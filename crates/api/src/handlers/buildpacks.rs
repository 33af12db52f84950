//! Buildpacks: kept for Heroku's clients and their scripts. Builds use a Dockerfile, or detect the language by themselves.

use ambo_controller::accounts::Permission;
use ambo_controller::apps::AppUpdate;
use ambo_model::App;
use axum::Json as Answer;
use axum::extract::State;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;
use crate::wire::warning;

/// Most buildpacks of one app.
const BUILDPACKS_MAX: usize = 20;
/// Longest URL of a buildpack, in bytes.
const URL_BYTES_MAX: usize = 2000;

/// `PUT /apps/{app}/buildpack-installations`
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct BuildpacksUpdate {
    updates: Vec<BuildpackUpdate>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct BuildpackUpdate {
    buildpack: String,
}

/// A name for people: `heroku/ruby` of `urn:buildpack:heroku/ruby`.
fn name(url: &str) -> &str {
    url.strip_prefix("urn:buildpack:").unwrap_or(url)
}

fn wire(app: &App) -> Answer<Vec<Value>> {
    let installation = |(ordinal, url): (usize, &String)| json!({ "ordinal": ordinal, "buildpack": { "url": url, "name": name(url) } });
    Answer(app.buildpacks.iter().enumerate().map(installation).collect())
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<Vec<Value>>, ApiError> {
    Ok(wire(&api.controller.app_find(&caller, &app, Permission::Read).await?))
}

pub(crate) async fn replace(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(wanted): Json<BuildpacksUpdate>,
) -> Result<(HeaderMap, Answer<Vec<Value>>), ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let urls: Vec<String> = wanted.updates.into_iter().map(|update| update.buildpack).collect();
    if urls.len() > BUILDPACKS_MAX {
        return Err(ApiError::invalid(format!("`updates`: an app has at most {BUILDPACKS_MAX} buildpacks")));
    }
    let bad = |url: &&String| url.is_empty() || url.len() > URL_BYTES_MAX || url.chars().any(char::is_control);
    if let Some(at) = urls.iter().position(|url| bad(&url)) {
        return Err(ApiError::invalid(format!("`updates[{at}].buildpack`: this is no URL or name of a buildpack")));
    }
    let headers = if urls.is_empty() {
        HeaderMap::new()
    } else {
        warning(
            "Ambo keeps the names of buildpacks, but builds do not use them: it builds with your Dockerfile, or detects the language.",
        )
    };
    let update = AppUpdate { buildpacks: Some(urls), ..AppUpdate::default() };
    let app = api.controller.app_update(&caller, &app, update, api.now()).await?;
    Ok((headers, wire(&app)))
}

/// `GET /buildpacks/{name}`: Heroku's registry of buildpacks, where clients turn a name into a URL.
pub(crate) async fn registered(Path(name): Path<String>) -> Result<Answer<Value>, ApiError> {
    let part = |text: &str| {
        !text.is_empty() && text.len() <= 60 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    match name.split_once('/') {
        Some((namespace, short)) if part(namespace) && part(short) => {
            Ok(Answer(json!({ "name": name, "blob_url": format!("urn:buildpack:{name}") })))
        }
        _ => Err(ApiError::not_found("there is no such buildpack: a name has the form `namespace/name`")),
    }
}
