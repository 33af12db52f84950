//! `/ambo/settings`

use ambo_api_types::{PlatformSettings, PlatformSettingsUpdate, RegistrationMode};
use ambo_controller::accounts;
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::state::Api;

pub(super) fn wire_mode(mode: accounts::RegistrationMode) -> RegistrationMode {
    match mode {
        accounts::RegistrationMode::Open => RegistrationMode::Open,
        accounts::RegistrationMode::Closed => RegistrationMode::Closed,
        accounts::RegistrationMode::Invitation => RegistrationMode::Invitation,
    }
}

fn model_mode(mode: RegistrationMode) -> accounts::RegistrationMode {
    match mode {
        RegistrationMode::Open => accounts::RegistrationMode::Open,
        RegistrationMode::Closed => accounts::RegistrationMode::Closed,
        RegistrationMode::Invitation => accounts::RegistrationMode::Invitation,
    }
}

fn wire(api: &Api, settings: &accounts::PlatformSettings) -> Answer<PlatformSettings> {
    let kept = settings.releases_kept.unwrap_or(api.controller.settings.releases_kept);
    Answer(PlatformSettings {
        registration: wire_mode(settings.registration),
        releases_kept: u32::try_from(kept).unwrap_or(u32::MAX),
    })
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
) -> Result<Answer<PlatformSettings>, ApiError> {
    caller.require_administrator()?;
    Ok(wire(&api, &api.controller.accounts.platform_settings().await?))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(update): Json<PlatformSettingsUpdate>,
) -> Result<Answer<PlatformSettings>, ApiError> {
    caller.require_administrator()?;
    let update = accounts::PlatformSettingsUpdate {
        registration: update.registration.map(model_mode),
        releases_kept: update.releases_kept.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
    };
    Ok(wire(&api, &api.controller.accounts.platform_settings_update(&caller, &update).await?))
}
