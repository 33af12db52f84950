//! Add-ons: Ambo serves none yet, and says so in a way that Heroku's clients understand.

use ambo_controller::accounts::Permission;
use axum::extract::State;

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

/// `POST /apps/{app}/addons`, `POST /addon-attachments`
pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<(), ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    Err(ApiError::invalid(
        "Ambo serves no add-ons yet: run the service yourself, and tell the app where it is with \
         `heroku config:set DATABASE_URL=…`",
    ))
}

fn unknown() -> ApiError {
    ApiError::not_found("Couldn't find that add-on: Ambo serves none yet").of_resource("add_on")
}

/// `GET` and `DELETE /apps/{app}/addons/{addon}`
pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, _)): Path<(String, String)>,
) -> Result<(), ApiError> {
    api.controller.app_find(&caller, &app, Permission::Read).await?;
    Err(unknown())
}

/// `POST /actions/addons/resolve`, `POST /actions/addon-attachments/resolve`
pub(crate) async fn resolve(_: Authorized) -> ApiError {
    unknown()
}
