//! `/oauth/authorizations`, `/oauth/sessions/~`: API tokens.

use ambo_api_types::{AccessToken, Authorization, AuthorizationCreate, AuthorizationUpdate, AuthorizationUser, Secret};
use ambo_controller::ControllerError;
use ambo_controller::accounts::{Caller, Permission, Token, TokenRequest, TokenScope};
use ambo_model::TokenId;
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::{Authorized, LoggedIn};
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::state::Api;

/// What the scope of a token for one app begins with; the app follows.
const DEPLOY_PREFIX: &str = "deploy:";

async fn scope_read(api: &Api, caller: &Caller, scope: Option<Vec<String>>) -> Result<TokenScope, ApiError> {
    match scope.unwrap_or_default().as_slice() {
        [] => Ok(TokenScope::Global),
        [scope] => match scope.strip_prefix(DEPLOY_PREFIX) {
            Some(app) => Ok(TokenScope::Deploy(api.controller.app_find(caller, app, Permission::Deploy).await?.id)),
            None => Ok(TokenScope::parse(scope)?),
        },
        [..] => {
            Err(ApiError::invalid("`scope`: a token has one scope: `global`, `deploy:<app>`, `read` or `identity`"))
        }
    }
}

async fn scope_text(api: &Api, caller: &Caller, scope: TokenScope) -> Result<String, ApiError> {
    let TokenScope::Deploy(app) = scope else { return Ok(scope.as_str().to_owned()) };
    Ok(match api.controller.app_find(caller, &app.to_string(), Permission::Read).await {
        Ok(app) => format!("{DEPLOY_PREFIX}{}", app.name),
        Err(ControllerError::NotFound(_)) => format!("{DEPLOY_PREFIX}{app}"),
        Err(error) => return Err(error.into()),
    })
}

async fn wire(
    api: &Api,
    caller: &Caller,
    token: &Token,
    secret: Option<&ambo_model::Secret>,
) -> Result<Authorization, ApiError> {
    let text = secret.map_or(token.hint.as_str(), ambo_model::Secret::reveal);
    let expires_in = token.expires_at.map(|at| u64::try_from(at.duration_since(api.now()).as_secs()).unwrap_or(0));
    Ok(Authorization {
        id: token.id.uuid(),
        access_token: Some(AccessToken { id: token.id.uuid(), expires_in, token: Secret::new(text) }),
        client: None,
        description: token.description.clone(),
        grant: None,
        refresh_token: None,
        session: None,
        scope: vec![scope_text(api, caller, token.scope).await?],
        user: AuthorizationUser { id: caller.account.uuid(), email: caller.email.to_string(), full_name: None },
        created_at: token.created_at,
        updated_at: token.created_at,
        last_used_at: token.last_used_at,
    })
}

pub(crate) async fn create(
    State(api): State<Api>,
    LoggedIn(caller): LoggedIn,
    Json(wanted): Json<AuthorizationCreate>,
) -> Result<Created<Authorization>, ApiError> {
    let scope = scope_read(&api, &caller, wanted.scope).await?;
    let description = wanted.description.unwrap_or_else(|| "Long-lived user authorization".to_owned());
    let request = TokenRequest { description, scope, expires_in: wanted.expires_in };
    let (token, secret) = api.controller.accounts.token_create(&caller, request, api.now()).await?;
    Ok(Created(wire(&api, &caller, &token, Some(&secret)).await?))
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    range: Range,
) -> Result<Page<Authorization>, ApiError> {
    let mut tokens = Vec::new();
    for token in api.controller.accounts.token_list(&caller, api.now()).await? {
        tokens.push(wire(&api, &caller, &token, None).await?);
    }
    let attributes: [crate::range::Attribute<Authorization>; 2] = [
        ("id", |token| Key::Text(token.id.to_string())),
        ("description", |token| Key::Text(token.description.clone())),
    ];
    Ok(range.page(&attributes, tokens))
}

fn id(text: &str) -> Result<TokenId, ApiError> {
    // `~` is the one API key of an account on Heroku; here all tokens are alike.
    let unknown = |_| ApiError::not_found("you have no such API token: see `ambo tokens`").of_resource("authorization");
    text.parse().map_err(unknown)
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(token): Path<String>,
) -> Result<Answer<Authorization>, ApiError> {
    let token = api.controller.accounts.token_find(&caller, id(&token)?).await;
    let token = token.map_err(|error| ApiError::from(error).of_resource("authorization"))?;
    Ok(Answer(wire(&api, &caller, &token, None).await?))
}

pub(crate) async fn revoke(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(token): Path<String>,
) -> Result<Answer<Authorization>, ApiError> {
    let token = api.controller.accounts.token_revoke(&caller, id(&token)?).await;
    let token = token.map_err(|error| ApiError::from(error).of_resource("authorization"))?;
    Ok(Answer(wire(&api, &caller, &token, None).await?))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(token): Path<String>,
    Json(update): Json<AuthorizationUpdate>,
) -> Result<Answer<Authorization>, ApiError> {
    let (accounts, id) = (&api.controller.accounts, id(&token)?);
    let token = match update.description {
        Some(description) => accounts.token_describe(&caller, id, &description).await,
        None => accounts.token_find(&caller, id).await,
    };
    let token = token.map_err(|error| ApiError::from(error).of_resource("authorization"))?;
    Ok(Answer(wire(&api, &caller, &token, None).await?))
}

/// A new secret for a token; the old one is good no longer.
pub(crate) async fn regenerate(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(token): Path<String>,
) -> Result<Created<Authorization>, ApiError> {
    let rotated = api.controller.accounts.token_rotate(&caller, id(&token)?).await;
    let (token, secret) = rotated.map_err(|error| ApiError::from(error).of_resource("authorization"))?;
    Ok(Created(wire(&api, &caller, &token, Some(&secret)).await?))
}

/// Logout: revokes the token in use.
pub(crate) async fn session_end(
    State(api): State<Api>,
    Authorized(caller): Authorized,
) -> Result<Answer<Authorization>, ApiError> {
    let token = caller.token.ok_or_else(|| ApiError::not_found("there is no session").of_resource("session"))?;
    let token = api.controller.accounts.token_revoke(&caller, token).await?;
    Ok(Answer(wire(&api, &caller, &token, None).await?))
}
