//! `/apps/{app}/builds`

use std::collections::HashMap;

use ambo_api_types::{Build, BuildCreate, IdReference, SourceBlob};
use ambo_controller::ControllerError;
use ambo_controller::accounts::{Caller, Permission};
use ambo_controller::push::{ArchiveFetch, ArchiveFile, Deploy};
use ambo_controller::releases::ReleasePage;
use ambo_model::{App, BuildId, BuildSource, BuildStatus, ReleaseId};
use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::auth::Authorized;
use crate::body::Json;
use crate::directory::Directory;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::source_fetch::SourceLocation;
use crate::state::Api;
use crate::wire::{BaseUrl, warning};

/// Most builds that are looked through for a page.
const BUILDS_LISTED_MAX: usize = 1000;
/// Most releases that are looked through for those of the builds.
const RELEASES_LISTED_MAX: usize = 1000;
/// Longest version that a source is given.
const VERSION_CHARS_MAX: usize = 200;

/// What builds are shown with.
struct Shown<'a> {
    api: &'a Api,
    base: &'a BaseUrl,
    directory: Directory<'a>,
    /// The first release of each build.
    releases: HashMap<BuildId, ReleaseId>,
}

impl<'a> Shown<'a> {
    async fn new(api: &'a Api, caller: &Caller, base: &'a BaseUrl, app: &App) -> Result<Self, ApiError> {
        let page = ReleasePage { after: None, limit: RELEASES_LISTED_MAX, descending: true };
        let (_, releases, _) = api.controller.release_list(caller, &app.id.to_string(), page).await?;
        // Newest first, so that the oldest one wins.
        let releases = releases.into_iter().filter_map(|release| Some((release.build?, release.id))).collect();
        Ok(Self { api, base, directory: Directory::new(api), releases })
    }

    async fn wire(&mut self, build: &ambo_model::Build) -> Result<Build, ApiError> {
        let (status, message, slug) = match &build.status {
            BuildStatus::Pending => ("pending", None, None),
            BuildStatus::Succeeded { .. } => ("succeeded", None, Some(IdReference { id: build.id.uuid() })),
            BuildStatus::Failed { reason } => ("failed", Some(reason.clone()), None),
        };
        // Whoever is told of a success looks for the release next.
        let unreleased = !self.releases.contains_key(&build.id) && self.api.outputs.is_running(build.id);
        let (status, slug) = if unreleased { ("pending", None) } else { (status, slug) };
        let version = build.source.version().map(str::to_owned);
        let (url, checksum) = match &build.source {
            BuildSource::Image { reference } => (reference.to_string(), None),
            BuildSource::Url { url, checksum, .. } => (url.clone(), checksum.clone()),
            BuildSource::Push { .. } | BuildSource::Archive { .. } => (String::new(), None),
        };
        Ok(Build {
            id: build.id.uuid(),
            app: IdReference { id: build.app.uuid() },
            buildpacks: None,
            output_stream_url: output_stream_url(self.api, self.base, build),
            source_blob: SourceBlob { checksum, url, version, version_description: None },
            release: self.releases.get(&build.id).map(|id| IdReference { id: id.uuid() }),
            slug,
            stack: "container".to_owned(),
            status: status.to_owned(),
            message,
            user: self.directory.user(build.by).await?,
            created_at: build.created_at,
            updated_at: build.finished_at.unwrap_or(build.created_at),
        })
    }
}

/// Where a build's output is read: of those that nobody waits for. The others have told it to whoever waited.
pub(super) fn output_stream_url(api: &Api, base: &BaseUrl, build: &ambo_model::Build) -> String {
    match &build.source {
        BuildSource::Url { .. } => {
            format!("{}/ambo/builds/{}/output/{}", base.0, build.id, api.outputs.secret(build.id))
        }
        BuildSource::Push { .. } | BuildSource::Archive { .. } | BuildSource::Image { .. } => String::new(),
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<Build>, ApiError> {
    let (app, builds) = api.controller.build_list(&caller, &app, BUILDS_LISTED_MAX).await?;
    let mut shown = Shown::new(&api, &caller, &base, &app).await?;
    let mut wired = Vec::with_capacity(builds.len());
    for build in &builds {
        wired.push(shown.wire(build).await?);
    }
    let attributes: [crate::range::Attribute<Build>; 3] = [
        ("id", |build| Key::Text(build.id.to_string())),
        ("started_at", |build| Key::Text(build.created_at.to_string())),
        ("created_at", |build| Key::Text(build.created_at.to_string())),
    ];
    Ok(range.page(&attributes, wired))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path((app, build)): Path<(String, String)>,
) -> Result<Answer<Build>, ApiError> {
    let (app, build) = api.controller.build_find(&caller, &app, &build).await?;
    Ok(Answer(Shown::new(&api, &caller, &base, &app).await?.wire(&build).await?))
}

/// Builds an archive that the platform fetches, and releases it. The answer comes at once; the build goes on without the
/// client. What is fetched and what is refused is [`crate::source_fetch`]'s to say.
pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
    Json(wanted): Json<BuildCreate>,
) -> Result<Response, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let deploy = fetched_deploy(&api, wanted.source_blob)?;
    let outputs = api.outputs.clone();
    let started = move |build: &ambo_model::Build| outputs.record(build.id);
    let build = api.controller.deploy_in_background(app.id, &caller, deploy, started).await?;
    let answer = Shown::new(&api, &caller, &base, &app).await?.wire(&build).await?;
    let headers = match wanted.buildpacks {
        Some(buildpacks) if !buildpacks.is_empty() => {
            warning("`buildpacks` are ignored: the source's Dockerfile is used, or one that fits its language")
        }
        _ => HeaderMap::new(),
    };
    Ok((StatusCode::CREATED, headers, Answer(answer)).into_response())
}

/// A deploy of what a `source_blob` says.
pub(super) fn fetched_deploy(api: &Api, blob: SourceBlob) -> Result<Deploy, ApiError> {
    let checksum = blob.checksum.filter(|text| !text.is_empty());
    let location = SourceLocation::parse(&blob.url, checksum.as_deref()).map_err(ApiError::invalid)?;
    let version = blob.version.map(|text| text.chars().filter(|c| !c.is_control()).take(VERSION_CHARS_MAX).collect());
    let version = version.filter(|text: &String| !text.is_empty());
    let source = BuildSource::Url { url: blob.url, version, checksum };
    let api = api.clone();
    let archive = async move {
        let file = location.fetch(&api).await.map_err(ControllerError::Invalid)?;
        Ok(Box::new(file) as ArchiveFile)
    };
    Ok(Deploy::Fetched { archive: ArchiveFetch(Box::pin(archive)), source })
}

/// The build cache is the whole engine's and is pruned by size; there is nothing of an app's own to empty.
pub(crate) async fn cache_empty(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Response, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let headers =
        warning("nothing was emptied: the build cache is shared by all apps and kept to its size by the platform");
    Ok((StatusCode::OK, headers, Answer(serde_json::json!({}))).into_response())
}

/// The output of a build: what there is, and then what comes until it ends.
pub(crate) async fn output(
    State(api): State<Api>,
    Path((build, secret)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_found("there is no such build output, or no longer: see the build itself");
    let build: BuildId = build.parse().map_err(|_| unknown())?;
    let chunks = api.outputs.follow(build, &secret).await.ok_or_else(unknown)?;
    let chunks = chunks.take_until(api.shutdown.clone().cancelled_owned()).map(Ok::<_, std::convert::Infallible>);
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
