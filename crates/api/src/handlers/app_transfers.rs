//! `/account/app-transfers`, `/ambo/apps/{app}/transfer`: an app's new owner, at once.

use ambo_api_types::{AppOwnerUpdate, AppTransfer, AppTransferCreate};
use ambo_controller::accounts::{Caller, Permission};
use ambo_model::Email;
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::directory::Directory;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;
use crate::wire::{app_reference, derived_id};

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(wanted): Json<AppTransferCreate>,
) -> Result<Created<AppTransfer>, ApiError> {
    let transfer = transfer(&api, &caller, &wanted.app, &wanted.recipient, "recipient").await?;
    Ok(Created(transfer))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(update): Json<AppOwnerUpdate>,
) -> Result<Answer<AppTransfer>, ApiError> {
    Ok(Answer(transfer(&api, &caller, &app, &update.owner, "owner").await?))
}

async fn transfer(
    api: &Api,
    caller: &Caller,
    app: &str,
    recipient: &str,
    field: &str,
) -> Result<AppTransfer, ApiError> {
    let before = api.controller.app_find(caller, app, Permission::Manage).await?;
    let recipient = Email::parse(recipient).map_err(|error| ApiError::invalid(format!("`{field}`: {error}")))?;
    let now = api.now();
    let after = api.controller.app_transfer(caller, &before.id.to_string(), &recipient, now).await?;
    let mut directory = Directory::new(api);
    Ok(AppTransfer {
        id: derived_id(&["transfer", &after.id.to_string(), &now.to_string()]),
        app: app_reference(&after),
        owner: directory.user(before.owner).await?,
        recipient: directory.user(after.owner).await?,
        state: "accepted".to_owned(),
        created_at: now,
        updated_at: now,
    })
}
