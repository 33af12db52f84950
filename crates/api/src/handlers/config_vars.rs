//! `/apps/{app}/config-vars`

use ambo_api_types::{ConfigVars, ConfigVarsUpdate};
use ambo_controller::accounts::Permission;
use ambo_model::{Config, ConfigChange, ConfigKey, Secret};
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

fn wire(config: &Config) -> Answer<ConfigVars> {
    Answer(config.iter().map(|(key, value)| (key.to_string(), value.reveal().to_owned())).collect())
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<ConfigVars>, ApiError> {
    Ok(wire(&api.controller.config_find(&caller, &app).await?))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(update): Json<ConfigVarsUpdate>,
) -> Result<Answer<ConfigVars>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let mut change = ConfigChange::new();
    for (key, value) in update {
        if value.as_ref().is_some_and(|value| value.contains('\0')) {
            return Err(ApiError::invalid(format!("`{key}`: the value holds a NUL byte, which no environment can")));
        }
        let key = ConfigKey::parse(&key).map_err(|error| ApiError::invalid(error.to_string()))?;
        change.insert(key, value.map(Secret::new));
    }
    Ok(wire(&api.controller.config_update(&caller, &app, &change, api.now()).await?))
}

pub(crate) async fn find_of_release(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, release)): Path<(String, String)>,
) -> Result<Answer<ConfigVars>, ApiError> {
    Ok(wire(&api.controller.release_config(&caller, &app, &release).await?))
}
