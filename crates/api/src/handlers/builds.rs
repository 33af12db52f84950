//! `/apps/{app}/builds`

use std::collections::HashMap;

use ambo_api_types::{Build, BuildCreate, IdReference, SourceBlob};
use ambo_controller::accounts::{Caller, Permission};
use ambo_controller::releases::ReleasePage;
use ambo_model::{App, BuildId, BuildSource, BuildStatus, ReleaseId};
use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;

use crate::auth::Authorized;
use crate::body::Json;
use crate::directory::Directory;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Range};
use crate::state::Api;

/// Most builds that are looked through for a page.
const BUILDS_LISTED_MAX: usize = 1000;
/// Most releases that are looked through for those of the builds.
const RELEASES_LISTED_MAX: usize = 1000;

async fn wire(
    directory: &mut Directory<'_>,
    releases: &HashMap<BuildId, ReleaseId>,
    build: &ambo_model::Build,
) -> Result<Build, ApiError> {
    let (status, message, slug) = match &build.status {
        BuildStatus::Pending => ("pending", None, None),
        BuildStatus::Succeeded { .. } => ("succeeded", None, Some(IdReference { id: build.id.uuid() })),
        BuildStatus::Failed { reason } => ("failed", Some(reason.clone()), None),
    };
    let url = match &build.source {
        BuildSource::Image { reference } => reference.to_string(),
        BuildSource::Url { url, .. } => url.clone(),
        BuildSource::Push { .. } | BuildSource::Archive { .. } => String::new(),
    };
    let version = build.source.version().map(str::to_owned);
    Ok(Build {
        id: build.id.uuid(),
        app: IdReference { id: build.app.uuid() },
        buildpacks: None,
        output_stream_url: String::new(),
        source_blob: SourceBlob { checksum: None, url, version, version_description: None },
        release: releases.get(&build.id).map(|id| IdReference { id: id.uuid() }),
        slug,
        stack: "container".to_owned(),
        status: status.to_owned(),
        message,
        user: directory.user(build.by).await?,
        created_at: build.created_at,
        updated_at: build.finished_at.unwrap_or(build.created_at),
    })
}

/// The first release of each build.
async fn releases(api: &Api, caller: &Caller, app: &App) -> Result<HashMap<BuildId, ReleaseId>, ApiError> {
    let page = ReleasePage { after: None, limit: RELEASES_LISTED_MAX, descending: true };
    let (_, releases, _) = api.controller.release_list(caller, &app.id.to_string(), page).await?;
    // Newest first, so that the oldest one wins.
    Ok(releases.into_iter().filter_map(|release| Some((release.build?, release.id))).collect())
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    range: Range,
) -> Result<Response, ApiError> {
    let (app, builds) = api.controller.build_list(&caller, &app, BUILDS_LISTED_MAX).await?;
    let releases = releases(&api, &caller, &app).await?;
    let mut directory = Directory::new(&api);
    let mut shown = Vec::with_capacity(builds.len());
    for build in &builds {
        shown.push(wire(&mut directory, &releases, build).await?);
    }
    let attributes: [crate::range::Attribute<Build>; 3] = [
        ("id", |build| Key::Text(build.id.to_string())),
        ("started_at", |build| Key::Text(build.created_at.to_string())),
        ("created_at", |build| Key::Text(build.created_at.to_string())),
    ];
    Ok(range.page(&attributes, shown))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, build)): Path<(String, String)>,
) -> Result<Answer<Build>, ApiError> {
    let (app, build) = api.controller.build_find(&caller, &app, &build).await?;
    let releases = releases(&api, &caller, &app).await?;
    Ok(Answer(wire(&mut Directory::new(&api), &releases, &build).await?))
}

/// Heroku's way to build: from an archive that the platform fetches. We fetch nothing for users: it would reach from
/// inside the platform what they cannot reach themselves.
pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(_): Json<BuildCreate>,
) -> Result<Answer<Build>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    Err(ApiError::invalid(
        "`source_blob`: sources are not fetched from a URL: `git push`, run `ambo deploy`, or send the archive itself to \
         `POST /ambo/apps/{app}/builds`",
    ))
}
