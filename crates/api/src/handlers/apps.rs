//! `/apps`, `/users/~/apps`

use ambo_api_types::{App, AppCreate, AppUpdate};
use ambo_controller::accounts::{Caller, Permission};
use ambo_model::AppName;
use axum::Json as Answer;
use axum::extract::State;
use http::{HeaderMap, StatusCode};

use crate::auth::Authorized;
use crate::body::Json;
use crate::directory::Directory;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::state::Api;
use crate::wire::{BaseUrl, named, warning};

const REGION: &str = "us";
const STACK: &str = "container";

async fn wire(
    api: &Api,
    caller: &Caller,
    directory: &mut Directory<'_>,
    base: &BaseUrl,
    app: &ambo_model::App,
) -> Result<App, ApiError> {
    let released_at = match app.serving {
        Some(version) => {
            let found = api.controller.release_find(caller, &app.id.to_string(), &version.to_string()).await;
            found.ok().map(|(_, release)| release.created_at)
        }
        None => None,
    };
    Ok(App {
        id: app.id.uuid(),
        name: app.name.to_string(),
        acm: false,
        archived_at: None,
        buildpack_provided_description: None,
        build_stack: named("stack", STACK),
        created_at: app.created_at,
        updated_at: app.updated_at,
        released_at,
        generation: named("generation", "cedar"),
        git_url: format!("{}/{}.git", base.0, app.name),
        internal_routing: None,
        maintenance: app.maintenance,
        owner: directory.user(app.owner).await?,
        organization: None,
        team: None,
        region: named("region", REGION),
        repo_size: None,
        slug_size: None,
        space: None,
        stack: named("stack", STACK),
        web_url: Some(api.controller.settings.web_url(&app.name)),
    })
}

pub(super) async fn wire_one(
    api: &Api,
    caller: &Caller,
    base: &BaseUrl,
    app: &ambo_model::App,
) -> Result<App, ApiError> {
    wire(api, caller, &mut Directory::new(api), base, app).await
}

fn name(text: Option<String>) -> Result<Option<AppName>, ApiError> {
    let parse = |text: String| AppName::parse(&text).map_err(|error| ApiError::invalid(format!("`name`: {error}")));
    text.map(parse).transpose()
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Json(wanted): Json<AppCreate>,
) -> Result<(StatusCode, HeaderMap, Answer<App>), ApiError> {
    caller.require_global()?;
    if wanted.team.is_some() || wanted.space.is_some() {
        return Err(ApiError::invalid(
            "Ambo has no teams and no spaces: create the app without, and share it with `heroku access:add`",
        ));
    }
    let headers = ignored(wanted.region.as_deref(), wanted.stack.as_deref());
    let app = api.controller.app_create(&caller, name(wanted.name)?, api.now()).await?;
    Ok((StatusCode::CREATED, headers, Answer(wire_one(&api, &caller, &base, &app).await?)))
}

/// Says which wishes are not heard: there is one region and one stack.
fn ignored(region: Option<&str>, stack: Option<&str>) -> HeaderMap {
    let region = region.filter(|region| *region != REGION).map(|_| "region");
    let stack = stack.filter(|stack| *stack != STACK).map(|_| "stack");
    let names: Vec<&str> = region.into_iter().chain(stack).collect();
    if names.is_empty() {
        return HeaderMap::new();
    }
    warning(&format!(
        "Ambo has one region, `{REGION}`, and one stack, `{STACK}`: your {} is ignored.",
        names.join(" and ")
    ))
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    range: Range,
) -> Result<Page<App>, ApiError> {
    let apps = api.controller.app_list(&caller).await?;
    page(&api, &caller, &base, &range, apps).await
}

/// Heroku's client asks for these when it lists "your" apps.
pub(crate) async fn list_own(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    range: Range,
) -> Result<Page<App>, ApiError> {
    let mut apps = api.controller.app_list(&caller).await?;
    apps.retain(|app| app.owner == caller.account || app.collaborators.contains(&caller.account));
    page(&api, &caller, &base, &range, apps).await
}

pub(super) async fn page(
    api: &Api,
    caller: &Caller,
    base: &BaseUrl,
    range: &Range,
    apps: Vec<ambo_model::App>,
) -> Result<Page<App>, ApiError> {
    let mut directory = Directory::new(api);
    let mut shown = Vec::with_capacity(apps.len());
    for app in &apps {
        shown.push(wire(api, caller, &mut directory, base, app).await?);
    }
    let attributes: [crate::range::Attribute<App>; 3] = [
        ("name", |app| Key::Text(app.name.clone())),
        ("id", |app| Key::Text(app.id.to_string())),
        ("updated_at", |app| Key::Text(app.updated_at.to_string())),
    ];
    Ok(range.page(&attributes, shown))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
) -> Result<Answer<App>, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Read).await?;
    Ok(Answer(wire_one(&api, &caller, &base, &app).await?))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
    Json(update): Json<AppUpdate>,
) -> Result<(HeaderMap, Answer<App>), ApiError> {
    // Before the body is judged: strangers learn nothing, not even of their own mistakes.
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let headers = ignored(None, update.build_stack.as_deref());
    let update = ambo_controller::apps::AppUpdate {
        name: name(update.name)?,
        maintenance: update.maintenance,
        ..ambo_controller::apps::AppUpdate::default()
    };
    let app = api.controller.app_update(&caller, &app, update, api.now()).await?;
    Ok((headers, Answer(wire_one(&api, &caller, &base, &app).await?)))
}

pub(crate) async fn destroy(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
) -> Result<Answer<App>, ApiError> {
    let app = api.controller.app_destroy(&caller, &app, api.now()).await?;
    Ok(Answer(wire_one(&api, &caller, &base, &app).await?))
}
