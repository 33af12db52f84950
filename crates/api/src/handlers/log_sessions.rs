//! `/apps/{app}/log-sessions`

use std::time::Duration;

use ambo_api_types::{LogSession, LogSessionCreate};
use ambo_controller::accounts::Permission;
use axum::extract::State;
use uuid::Uuid;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::log_token::LogGrant;
use crate::path::Path;
use crate::state::Api;
use crate::wire::BaseUrl;

/// How long a session's URL is good. A tail that has begun goes on; one that breaks off later needs a new session.
const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Lines of the past when the client does not say.
const LINES_DEFAULT: u32 = 100;
/// Most lines of the past.
pub(super) const LINES_MAX: u32 = 1500;
/// Longest filter, in characters.
const FILTER_CHARS_MAX: usize = 60;

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
    Json(wanted): Json<LogSessionCreate>,
) -> Result<Created<LogSession>, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Read).await?;
    let filter = |text: Option<String>| text.filter(|text| !text.is_empty() && text.len() <= FILTER_CHARS_MAX);
    let now = api.now();
    let source = filter(wanted.source);
    if let Some(source) = source.as_deref().filter(|source| !["app", "ambo", "heroku"].contains(source)) {
        return Err(ApiError::invalid(format!("`source`: there is no source `{source}`: use `app` or `ambo`")));
    }
    let grant = LogGrant {
        id: Uuid::new_v4(),
        account: caller.account,
        token: caller.token,
        app: app.id,
        lines: wanted.lines.unwrap_or(LINES_DEFAULT).min(LINES_MAX),
        tail: wanted.tail.unwrap_or(false),
        dyno: filter(wanted.dyno),
        source,
        until: now + SESSION_LIFETIME,
    };
    let token = api.log_tokens.sign(&grant).map_err(|error| ApiError::internal(&error))?;
    let logplex_url = format!("{}/ambo/logs/{token}", base.0);
    Ok(Created(LogSession { id: grant.id, logplex_url, created_at: now, updated_at: now }))
}
