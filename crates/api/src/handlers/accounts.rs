//! `/ambo/accounts`: registration, and the list of all.

use ambo_api_types::{AccessToken, Account, Registered, Registration, Secret};
use ambo_model::Email;
use axum::extract::State;

use super::account::wire;
use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::range::{Key, Page, Range};
use crate::state::Api;

pub(crate) async fn create(
    State(api): State<Api>,
    Json(registration): Json<Registration>,
) -> Result<Created<Registered>, ApiError> {
    let email = Email::parse(&registration.email).map_err(|error| ApiError::invalid(format!("`email`: {error}")))?;
    let model = |secret: Secret| ambo_model::Secret::new(secret.into_revealed());
    let registration = ambo_controller::accounts::Registration {
        email,
        password: model(registration.password),
        invitation: registration.invitation.map(model),
    };
    let (account, token, secret) = api.controller.accounts.account_register(registration, api.now()).await?;
    let access_token =
        AccessToken { id: token.id.uuid(), expires_in: None, token: Secret::new(secret.reveal().to_owned()) };
    Ok(Created(Registered { account: wire(&account), access_token }))
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    range: Range,
) -> Result<Page<Account>, ApiError> {
    let accounts = api.controller.accounts.account_list(&caller).await?;
    let attributes: [crate::range::Attribute<Account>; 2] =
        [("id", |account| Key::Text(account.id.to_string())), ("email", |account| Key::Text(account.email.clone()))];
    Ok(range.page(&attributes, accounts.iter().map(wire).collect()))
}
