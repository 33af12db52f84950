//! The token endpoint: credentials for a short-lived token (Docker token protocol; with POST, OAuth 2 password grant).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::request::Parts;
use serde_json::json;

use ambo_model::{Secret, Timestamp};

use super::authorization::{credentials, refusal};
use super::parameters::parameters;
use crate::access::{Credentials, Principal};
use crate::error::Error;
use crate::registry::Inner;
use crate::token::{Claims, Scope, TOKEN_SCOPES_MAX};

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

pub(super) async fn token_get(registry: &Inner, request: &Parts) -> Result<Response, Error> {
    let scopes = parameters(request, "scope").collect();
    issue(registry, request, credentials(&request.headers), scopes).await
}

pub(super) async fn token_post(registry: &Inner, request: &Parts, body: Body) -> Result<Response, Error> {
    let body = axum::body::to_bytes(body, FORM_BYTES_MAX).await.map_err(Error::BodyBroken)?;
    let mut scopes = Vec::new();
    let (mut username, mut password) = (None, None);
    for (key, value) in url::form_urlencoded::parse(&body) {
        match key.as_ref() {
            "scope" => scopes.push(value.into_owned()),
            "username" => username = Some(value.into_owned()),
            "password" => password = Some(Secret::new(value)),
            _ => {}
        }
    }
    let login = match (username, password) {
        (Some(username), Some(password)) => Some(Credentials::Basic { username, password }),
        _ => credentials(&request.headers),
    };
    issue(registry, request, login, scopes).await
}

/// Gives a token for as much of the scopes as the asker may have; none of it is still a token, good for `GET /v2/`.
async fn issue(
    registry: &Inner,
    request: &Parts,
    login: Option<Credentials>,
    scopes: Vec<String>,
) -> Result<Response, Error> {
    let unauthorized = |message: &str| Error::Unauthorized {
        challenge: "Basic realm=\"ambo\"".to_owned(),
        message: message.to_owned(),
    };
    let login = login.ok_or_else(|| unauthorized("log in first: your e-mail address and an API token"))?;
    if matches!(&login, Credentials::Bearer(token) if Claims::verify(token.reveal(), &registry.settings.token_key, Timestamp::now()).is_ok())
    {
        return Err(unauthorized("a registry token does not give another one: log in with an API token"));
    }
    let principal = registry.log_in(&login).await.map_err(|denied| {
        let challenge = "Basic realm=\"ambo\"".to_owned();
        tracing::debug!(target_uri = %request.uri.path(), "registry: login refused");
        refusal(denied, Some(challenge))
    })?;
    // One parameter may hold several, parted by spaces.
    let wanted: Vec<Scope> = scopes.iter().flat_map(|text| text.split(' ')).filter_map(Scope::parse).collect();
    if wanted.len() > TOKEN_SCOPES_MAX {
        return Err(Error::ParameterInvalid(format!("a token may have at most {TOKEN_SCOPES_MAX} scopes")));
    }
    let granted = grant(registry, &principal, wanted).await?;
    let (now, lifetime) = (Timestamp::now(), registry.settings.token_lifetime);
    let token = Claims::new(principal, granted, now, lifetime).sign(&registry.settings.token_key);
    let token = token.ok_or_else(|| unauthorized("the token could not be signed"))?;
    let body = json!({
        "token": token.reveal(),
        "access_token": token.reveal(),
        "expires_in": lifetime.as_secs(),
        "issued_at": now.to_string(),
    });
    Ok(([(CACHE_CONTROL, "no-store")], axum::Json(body)).into_response())
}

async fn grant(registry: &Inner, principal: &Principal, wanted: Vec<Scope>) -> Result<Vec<Scope>, Error> {
    let mut granted = Vec::new();
    for Scope { repository, actions } in wanted {
        let mut allowed = Vec::new();
        for action in actions {
            match registry.owner(principal, &repository, action).await {
                Ok(_) => allowed.push(action),
                Err(Error::NameUnknown(_) | Error::Denied(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if !allowed.is_empty() {
            granted.push(Scope { repository, actions: allowed });
        }
    }
    Ok(granted)
}
