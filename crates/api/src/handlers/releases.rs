//! `/apps/{app}/releases`

use ambo_api_types::{IdReference, Release, ReleaseArtifact, ReleaseCreate};
use ambo_controller::accounts::{Caller, Permission};
use ambo_controller::releases::{ReleasePage, ReleaseSummary};
use ambo_model::{App, ReleaseStatus, ReleaseVersion};
use axum::Json as Answer;
use axum::extract::State;

use super::release_output;
use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::directory::Directory;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::state::Api;
use crate::wire::{BaseUrl, app_reference};

/// Who asks for releases, and how.
struct Asking<'a> {
    api: &'a Api,
    caller: &'a Caller,
    base: &'a BaseUrl,
    directory: Directory<'a>,
}

impl<'a> Asking<'a> {
    fn new(api: &'a Api, caller: &'a Caller, base: &'a BaseUrl) -> Self {
        Self { api, caller, base, directory: Directory::new(api) }
    }
}

async fn wire(asking: &mut Asking<'_>, app: &App, release: &ReleaseSummary) -> Result<Release, ApiError> {
    let (status, message) = match &release.status {
        ReleaseStatus::Pending => ("pending", None),
        ReleaseStatus::Succeeded => ("succeeded", None),
        ReleaseStatus::Failed { reason } => ("failed", Some(reason.clone())),
    };
    let succeeded = release.status == ReleaseStatus::Succeeded;
    // Before the first deploy nothing serves; the newest release is then the current one.
    let current = app.serving.map_or(succeeded && release.version == app.last_version, |v| v == release.version);
    let command = release.artifact.as_ref().is_some_and(|artifact| artifact.processes.release_phase().is_some());
    let output = command.then(|| release_output::url(asking.api, asking.caller, asking.base, app, release.version));
    Ok(Release {
        id: release.id.uuid(),
        version: release.version.0,
        description: release.summary.clone(),
        status: status.to_owned(),
        message,
        current,
        user: asking.directory.user(release.author).await?,
        app: app_reference(app),
        slug: release.build.map(|build| IdReference { id: build.uuid() }),
        artifacts: release
            .build
            .map(|build| ReleaseArtifact { id: build.uuid(), kind: "slug".to_owned() })
            .into_iter()
            .collect(),
        addon_plan_names: Vec::new(),
        eligible_for_rollback: succeeded && release.artifact.is_some(),
        output_stream_url: output.transpose()?,
        created_at: release.created_at,
        updated_at: release.created_at,
    })
}

/// The versions are the keys of the store, so a page here is a page there.
pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<Release>, ApiError> {
    let after = match range.start("version") {
        None => None,
        Some(start) => {
            let version: ReleaseVersion = start.value.parse().map_err(|_| range.not_satisfiable(&["version"]))?;
            Some(match (start.exclusive, range.descending) {
                (true, _) => version,
                (false, true) => version.next(),
                (false, false) => ReleaseVersion(version.0.saturating_sub(1)),
            })
        }
    };
    let page = ReleasePage { after, limit: range.max, descending: range.descending };
    let (app, releases, more) = api.controller.release_list(&caller, &app, page).await?;
    let mut asking = Asking::new(&api, &caller, &base);
    let mut shown = Vec::with_capacity(releases.len());
    for release in &releases {
        shown.push(wire(&mut asking, &app, release).await?);
    }
    let key = |release: &ReleaseSummary| Key::Number(release.version.0);
    let first_and_last = releases.first().map(key).zip(releases.last().map(key));
    Ok(range.response("version", "version", first_and_last, more, &shown))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path((app, release)): Path<(String, String)>,
) -> Result<Answer<Release>, ApiError> {
    let (app, release) = api.controller.release_find(&caller, &app, &release).await?;
    Ok(Answer(wire(&mut Asking::new(&api, &caller, &base), &app, &release).await?))
}

/// A new release: of an earlier one's build and config, or of an earlier build with the config of now.
pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
    Json(wanted): Json<ReleaseCreate>,
) -> Result<Created<Release>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let now = api.now();
    let (app, release) = match (&wanted.release, &wanted.slug) {
        (Some(release), None) => api.controller.release_rollback(&caller, &app, &release.to_string(), now).await?,
        (None, Some(slug)) => api.controller.release_of_build(&caller, &app, slug, now).await?,
        _ => {
            let text = "say either `release`, the one to go back to, or `slug`, the build to release";
            return Err(ApiError::invalid(text));
        }
    };
    Ok(Created(wire(&mut Asking::new(&api, &caller, &base), &app, &release).await?))
}
