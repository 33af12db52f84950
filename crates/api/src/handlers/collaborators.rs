//! `/apps/{app}/collaborators`

use ambo_api_types::{Collaborator, CollaboratorCreate, CollaboratorUser};
use ambo_controller::accounts::Permission;
use ambo_model::{Account, App, Email};
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::state::Api;
use crate::wire::app_reference;

fn wire(app: &App, account: &Account) -> Collaborator {
    let role = if account.id == app.owner { "owner" } else { "collaborator" };
    Collaborator {
        id: account.id.uuid(),
        app: app_reference(app),
        permissions: Vec::new(),
        role: Some(role.to_owned()),
        user: CollaboratorUser { id: account.id.uuid(), email: account.email.to_string(), federated: false },
        created_at: app.created_at,
        updated_at: app.updated_at,
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<Collaborator>, ApiError> {
    let (app, accounts) = api.controller.collaborator_list(&caller, &app).await?;
    let attributes: [crate::range::Attribute<Collaborator>; 2] =
        [("email", |who| Key::Text(who.user.email.clone())), ("id", |who| Key::Text(who.id.to_string()))];
    Ok(range.page(&attributes, accounts.iter().map(|account| wire(&app, account)).collect()))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(wanted): Json<CollaboratorCreate>,
) -> Result<Created<Collaborator>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Manage).await?;
    let email = Email::parse(&wanted.user).map_err(|error| ApiError::invalid(format!("`user`: {error}")))?;
    let (app, account) = api.controller.collaborator_add(&caller, &app, &email, api.now()).await?;
    Ok(Created(wire(&app, &account)))
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, who)): Path<(String, String)>,
) -> Result<Answer<Collaborator>, ApiError> {
    let (_, accounts) = api.controller.collaborator_list(&caller, &app).await?;
    let named = accounts.iter().find(|account| account.id.to_string() == who).map(|account| account.email.clone());
    let email = match named {
        Some(email) => email,
        None => Email::parse(&who).map_err(|error| ApiError::not_found(format!("{error}: see `ambo access`")))?,
    };
    let (app, account) = api.controller.collaborator_remove(&caller, &app, &email, api.now()).await?;
    Ok(Answer(wire(&app, &account)))
}
