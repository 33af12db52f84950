//! `/apps/{app}/slugs`: the images of builds, as Heroku's clients know them.

use ambo_api_types::{Slug, SlugBlob};
use ambo_controller::accounts::Permission;
use ambo_model::BuildStatus;
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;
use crate::wire::named;

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, slug)): Path<(String, String)>,
) -> Result<Answer<Slug>, ApiError> {
    let (app, build) = api.controller.build_find(&caller, &app, &slug).await?;
    let BuildStatus::Succeeded { artifact } = &build.status else {
        let text = format!("the build {} has given no slug: it has not succeeded", build.id);
        return Err(ApiError::not_found(text).of_resource("slug"));
    };
    let digest = artifact.image.as_str();
    let registry = &api.controller.settings.registry;
    Ok(Answer(Slug {
        id: build.id.uuid(),
        blob: SlugBlob {
            method: "GET".to_owned(),
            url: format!("http://{registry}/v2/{}/manifests/{digest}", app.name),
        },
        buildpack_provided_description: Some(artifact.kind.clone()),
        checksum: digest.strip_prefix("sha256:").map(|hex| format!("SHA256:{hex}")),
        commit: build.source.version().map(str::to_owned),
        commit_description: None,
        process_types: artifact
            .processes
            .iter()
            .map(|(process, entry)| (process.to_string(), entry.command.to_string()))
            .collect(),
        size: None,
        stack: named("stack", "container"),
        created_at: build.created_at,
        updated_at: build.finished_at.unwrap_or(build.created_at),
    }))
}

/// A slug's tarball runs on Heroku's own base image alone; ours are whole images.
pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<Slug>, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    Err(ApiError::invalid(format!(
        "slugs are not uploaded here: push an image (`docker push {}`, then `PATCH /apps/{{app}}/formation` with \
         `docker_image`) or a source (`POST /sources`, then `POST /apps/{{app}}/builds`)",
        api.controller.settings.repository(&app.name)
    )))
}
