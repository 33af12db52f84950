//! `/account/keys`

use ambo_api_types::{Key, KeyCreate};
use ambo_controller::accounts::{Caller, SshKey};
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{self, Page, Range};
use crate::state::Api;

fn wire(caller: &Caller, key: &SshKey) -> Key {
    Key {
        id: key.id.uuid(),
        comment: key.comment.clone(),
        email: caller.email.to_string(),
        fingerprint: key.fingerprint.clone(),
        public_key: format!("{} {}", key.public_key, key.comment).trim_end().to_owned(),
        created_at: key.created_at,
        updated_at: key.created_at,
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    range: Range,
) -> Result<Page<Key>, ApiError> {
    let keys = api.controller.accounts.key_list(&caller).await?;
    let attributes: [range::Attribute<Key>; 2] = [
        ("id", |key| range::Key::Text(key.id.to_string())),
        ("fingerprint", |key| range::Key::Text(key.fingerprint.clone())),
    ];
    Ok(range.page(&attributes, keys.iter().map(|key| wire(&caller, key)).collect()))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(wanted): Json<KeyCreate>,
) -> Result<Created<Key>, ApiError> {
    let key = api.controller.accounts.key_add(&caller, &wanted.public_key, api.now()).await?;
    Ok(Created(wire(&caller, &key)))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(key): Path<String>,
) -> Result<Answer<Key>, ApiError> {
    Ok(Answer(wire(&caller, &api.controller.accounts.key_find(&caller, &key).await?)))
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(key): Path<String>,
) -> Result<Answer<Key>, ApiError> {
    Ok(Answer(wire(&caller, &api.controller.accounts.key_remove(&caller, &key).await?)))
}
