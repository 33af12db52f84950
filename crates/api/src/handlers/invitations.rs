//! `/ambo/invitations`

use ambo_api_types::{Invitation, InvitationCreate, Secret};
use ambo_model::Email;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::state::Api;

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(wanted): Json<InvitationCreate>,
) -> Result<Created<Invitation>, ApiError> {
    caller.require_administrator()?;
    let email = wanted.email.as_deref().map(Email::parse).transpose();
    let email = email.map_err(|error| ApiError::invalid(format!("`email`: {error}")))?;
    let (invitation, code) = api.controller.accounts.invitation_create(&caller, email, api.now()).await?;
    let shown = Invitation {
        code: Secret::new(code.reveal().to_owned()),
        email: invitation.email.map(|email| email.to_string()),
        expires_at: invitation.expires_at,
    };
    Ok(Created(shown))
}
