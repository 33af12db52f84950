//! Who asks: `Authorization: Bearer <token>`, or Basic with the token as password.

use std::net::{IpAddr, SocketAddr};

use ambo_controller::accounts::Caller;
use ambo_model::{Email, Secret};
use axum::extract::{ConnectInfo, FromRequestParts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header;
use http::request::Parts;
use tokio::time::Instant;

use crate::error::ApiError;
use crate::rate::Remaining;
use crate::state::Api;

/// What every API token starts with.
const TOKEN_PREFIX: &str = "ambo_";

/// Somebody with a token.
#[derive(Debug)]
pub(crate) struct Authorized(pub(crate) Caller);

/// Somebody with a token, whose request is not counted.
#[derive(Debug)]
pub(crate) struct Unmetered(pub(crate) Caller);

/// Somebody with a token, or an address and a password: for the one route that makes tokens.
#[derive(Debug)]
pub(crate) struct LoggedIn(pub(crate) Caller);

/// Somebody with a token, or nobody. A token that is wrong is still refused.
#[derive(Debug)]
pub(crate) struct MaybeAuthorized(pub(crate) Option<Caller>);

enum Credentials {
    Token(Secret),
    Password(String, Secret),
}

impl FromRequestParts<Api> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = by_token(parts, api).await?;
        let left = api.rates.take(caller.account, Instant::now())?;
        if let Some(remaining) = parts.extensions.get::<Remaining>() {
            // The first extractor of a request tells it; others would tell the same.
            let _ = remaining.0.set(left);
        }
        Ok(Self(caller))
    }
}

impl FromRequestParts<Api> for Unmetered {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        by_token(parts, api).await.map(Self)
    }
}

async fn by_token(parts: &Parts, api: &Api) -> Result<Caller, ApiError> {
    match credentials(parts)?.ok_or_else(missing)? {
        Credentials::Token(token) => Ok(api.controller.accounts.caller_by_token(&token, api.now()).await?),
        Credentials::Password(..) => Err(ApiError::unauthorized(
            "this needs an API token, not a password: log in with `ambo login`, or send the token as password",
        )),
    }
}

impl FromRequestParts<Api> for LoggedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let accounts = &api.controller.accounts;
        match credentials(parts)?.ok_or_else(missing)? {
            Credentials::Token(token) => Ok(Self(accounts.caller_by_token(&token, api.now()).await?)),
            Credentials::Password(user, password) => {
                let refused = || ApiError::unauthorized("the e-mail address or the password is wrong");
                let email = Email::parse(&user).map_err(|_| refused())?;
                let account = accounts.login(&email, &password, peer(parts), api.now()).await?;
                Ok(Self(Caller::of(&account)))
            }
        }
    }
}

impl FromRequestParts<Api> for MaybeAuthorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        Authorized::from_request_parts(parts, api).await.map(|Authorized(caller)| Self(Some(caller)))
    }
}

fn missing() -> ApiError {
    ApiError::unauthorized("this needs an API token: send `Authorization: Bearer <token>`, or log in with `ambo login`")
}

fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

/// The credentials of a request; `None` when it has none.
fn credentials(parts: &Parts) -> Result<Option<Credentials>, ApiError> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let unreadable = || {
        ApiError::unauthorized(
            "the `Authorization` header cannot be read: send `Bearer <token>`, or Basic with the token",
        )
    };
    let text = value.to_str().map_err(|_| unreadable())?;
    let (scheme, rest) = text.split_once(' ').ok_or_else(unreadable)?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Credentials::Token(Secret::new(rest))));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unreadable());
    }
    let decoded = STANDARD.decode(rest).map_err(|_| unreadable())?;
    let decoded = String::from_utf8(decoded).map_err(|_| unreadable())?;
    let (user, password) = decoded.split_once(':').ok_or_else(unreadable)?;
    let password = Secret::new(password);
    // Clients differ in where they put the token; what is no token is a password.
    Ok(Some(if password.reveal().starts_with(TOKEN_PREFIX) {
        Credentials::Token(password)
    } else if password.reveal().is_empty() && user.starts_with(TOKEN_PREFIX) {
        Credentials::Token(Secret::new(user))
    } else {
        Credentials::Password(user.to_owned(), password)
    }))
}
