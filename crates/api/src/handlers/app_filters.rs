//! `/filters/apps`: several apps at once, by id.

use ambo_api_types::{App, AppFilter};
use ambo_controller::ControllerError;
use ambo_controller::accounts::Permission;
use axum::extract::State;

use super::apps;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::range::{Page, Range};
use crate::state::Api;
use crate::wire::BaseUrl;

/// Most apps that are asked for at once.
const IDS_MAX: usize = 1000;

/// Those of the apps that the caller may see; the others are left out.
pub(crate) async fn filter(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    range: Range,
    Json(filter): Json<AppFilter>,
) -> Result<Page<App>, ApiError> {
    if filter.within.id.len() > IDS_MAX {
        return Err(ApiError::invalid(format!("`in.id`: name at most {IDS_MAX} apps at once")));
    }
    let mut ids = filter.within.id;
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::new();
    for id in ids {
        match api.controller.app_find(&caller, &id.to_string(), Permission::Read).await {
            Ok(app) => found.push(app),
            Err(ControllerError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    apps::page(&api, &caller, &base, &range, found).await
}
