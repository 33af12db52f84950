//! `/ambo/images`

use ambo_api_types::{ImagesCollected, ImagesTotal};
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::state::Api;

/// Frees now what would be freed within the hour: images that no kept release needs.
pub(crate) async fn collect(
    State(api): State<Api>,
    Authorized(caller): Authorized,
) -> Result<Answer<ImagesCollected>, ApiError> {
    caller.require_administrator()?;
    let collected = api.controller.images_collect(&caller).await?;
    Ok(Answer(ImagesCollected {
        kept: ImagesTotal { images: collected.kept_count, bytes: collected.kept_bytes },
        freed: ImagesTotal { images: collected.freed_count, bytes: collected.freed_bytes },
    }))
}
