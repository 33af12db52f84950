//! `/account`, `/users/~`

use ambo_api_types::{Account, AccountRole, AccountUpdate, RateLimit, Secret};
use ambo_model::{AccountId, Email, Role};
use axum::Json as Answer;
use axum::extract::State;
use tokio::time::Instant;

use crate::auth::{Authorized, Unmetered};
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

pub(crate) fn wire(account: &ambo_model::Account) -> Account {
    let role = match account.role {
        Role::Administrator => AccountRole::Administrator,
        Role::Member => AccountRole::Member,
    };
    Account {
        id: account.id.uuid(),
        email: account.email.to_string(),
        role,
        allow_tracking: false,
        beta: false,
        created_at: account.created_at,
        updated_at: account.created_at,
        federated: false,
        identity_provider: None,
        last_login: None,
        name: None,
        sms_number: None,
        suspended_at: None,
        delinquent_at: None,
        two_factor_authentication: false,
        verified: true,
        country_of_residence: None,
        default_organization: None,
        default_team: None,
    }
}

pub(crate) async fn find(State(api): State<Api>, Authorized(caller): Authorized) -> Result<Answer<Account>, ApiError> {
    let account = api.controller.accounts.account_by_id(caller.account).await?;
    let gone = || ApiError::unauthorized("your account has gone: ask an administrator");
    Ok(Answer(wire(&account.ok_or_else(gone)?)))
}

/// Somebody else, by address or id: to transfer to, for instance.
pub(crate) async fn find_other(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(user): Path<String>,
) -> Result<Answer<Account>, ApiError> {
    caller.require_global()?;
    let accounts = &api.controller.accounts;
    let account = match (user.parse::<AccountId>(), Email::parse(&user)) {
        (Ok(id), _) => accounts.account_by_id(id).await?,
        (Err(_), Ok(email)) => accounts.account_by_email(&email).await?,
        (Err(_), Err(_)) => None,
    };
    let unknown = || ApiError::not_found("there is no such account: ask them to register first").of_resource("user");
    Ok(Answer(wire(&account.ok_or_else(unknown)?)))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(update): Json<AccountUpdate>,
) -> Result<Answer<Account>, ApiError> {
    let secret = |secret: Option<Secret>, field: &str| {
        let missing = || ApiError::invalid(format!("`{field}` is missing: send `password` and `new_password`"));
        secret.map(|secret| ambo_model::Secret::new(secret.into_revealed())).ok_or_else(missing)
    };
    let (old, new) = (secret(update.password, "password")?, secret(update.new_password, "new_password")?);
    let account = api.controller.accounts.account_password_update(&caller, &old, &new, api.now()).await;
    match account {
        Ok(account) => Ok(Answer(wire(&account))),
        // A client that reads 401 takes its token for invalid, which it is not.
        Err(ambo_controller::accounts::AccountError::LoginRefused) => {
            Err(ApiError::invalid("`password`: this is not your present password"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Free of charge: clients ask before they ask for more.
pub(crate) async fn rate_limits(State(api): State<Api>, Unmetered(caller): Unmetered) -> Answer<RateLimit> {
    Answer(RateLimit { remaining: api.rates.left(caller.account, Instant::now()) })
}
