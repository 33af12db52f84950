//! `/ambo/images`, and images that are released as processes.

use std::collections::BTreeMap;

use ambo_api_types::{FormationUpdate, ImagesCollected, ImagesTotal};
use ambo_controller::accounts::{Caller, Permission};
use ambo_controller::progress::Progress;
use ambo_controller::push::Deploy;
use ambo_model::{ImageDigest, ProcessType};
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

/// Releases the images that a change of the formation names (`docker_image`, as `container:release` sends it), if it names
/// any, and waits until they serve. Each was pushed to `<app>/<process>` of our registry.
pub(super) async fn release(
    api: &Api,
    caller: &Caller,
    app: &str,
    updates: &[FormationUpdate],
) -> Result<(), ApiError> {
    let (mut wanted, mut gone) = (BTreeMap::new(), Vec::new());
    for (at, update) in updates.iter().enumerate() {
        let Some(image) = &update.docker_image else { continue };
        let invalid =
            |field: &str, error: &dyn std::fmt::Display| ApiError::invalid(format!("`updates[{at}].{field}`: {error}"));
        let process = ProcessType::parse(update.process_type.as_deref().unwrap_or_default());
        let process = process.map_err(|error| invalid("type", &error))?;
        match image {
            Some(image) => {
                let digest = ImageDigest::parse(image).map_err(|error| invalid("docker_image", &error))?;
                wanted.insert(process, digest);
            }
            None => gone.push(process),
        }
    }
    if wanted.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let app = api.controller.app_find(caller, app, Permission::Deploy).await?;
    let found = api.controller.pushed_images_find(&app, &wanted).await?;
    let mut images: BTreeMap<_, _> = found.into_iter().map(|(process, image)| (process, Some(image))).collect();
    images.extend(gone.into_iter().map(|process| (process, None)));
    api.controller.deploy(app.id, caller, Deploy::Images(images), Progress::silent()).await?;
    Ok(())
}
