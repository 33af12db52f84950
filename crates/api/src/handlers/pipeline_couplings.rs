//! `/pipeline-couplings`, `/pipelines/{pipeline}/pipeline-couplings`, `/apps/{app}/pipeline-couplings`

use ambo_api_types::{IdReference, NamedReference, PipelineCoupling, PipelineCouplingCreate, PipelineCouplingUpdate};
use ambo_controller::accounts::Permission;
use ambo_model::{Coupling, Pipeline, Stage};
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Attribute, Key, Page, Range};
use crate::state::Api;

const ATTRIBUTES: [Attribute<PipelineCoupling>; 1] = [("id", |coupling| Key::Text(coupling.id.to_string()))];

fn wire(coupling: &Coupling, pipeline: &Pipeline) -> PipelineCoupling {
    PipelineCoupling {
        id: coupling.id.uuid(),
        app: IdReference { id: coupling.app.uuid() },
        pipeline: NamedReference { id: pipeline.id.uuid(), name: pipeline.name.to_string() },
        stage: coupling.stage.to_string(),
        created_at: coupling.created_at,
        updated_at: coupling.updated_at,
    }
}

fn stage(text: &str) -> Result<Stage, ApiError> {
    text.parse().map_err(|error| ApiError::invalid(format!("`stage`: {error}")))
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    range: Range,
) -> Result<Page<PipelineCoupling>, ApiError> {
    let couplings = api.controller.coupling_list(&caller).await?;
    Ok(range.page(&ATTRIBUTES, couplings.iter().map(|(coupling, pipeline)| wire(coupling, pipeline)).collect()))
}

pub(crate) async fn list_of_pipeline(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(pipeline): Path<String>,
    range: Range,
) -> Result<Page<PipelineCoupling>, ApiError> {
    let (pipeline, couplings) = api.controller.coupling_list_of(&caller, &pipeline).await?;
    Ok(range.page(&ATTRIBUTES, couplings.iter().map(|coupling| wire(coupling, &pipeline)).collect()))
}

/// One object, since an app has one place at most; 404 when it has none.
pub(crate) async fn find_of_app(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<PipelineCoupling>, ApiError> {
    let (_, coupling, pipeline) = api.controller.coupling_of_app(&caller, &app).await?;
    Ok(Answer(wire(&coupling, &pipeline)))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(coupling): Path<String>,
) -> Result<Answer<PipelineCoupling>, ApiError> {
    let (coupling, pipeline) = api.controller.coupling_find(&caller, &coupling).await?;
    Ok(Answer(wire(&coupling, &pipeline)))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(wanted): Json<PipelineCouplingCreate>,
) -> Result<Created<PipelineCoupling>, ApiError> {
    api.controller.app_find(&caller, &wanted.app, Permission::Deploy).await?;
    let stage = stage(&wanted.stage)?;
    let created = api.controller.coupling_create(&caller, &wanted.app, &wanted.pipeline, stage, api.now()).await?;
    let (_, coupling, pipeline) = created;
    Ok(Created(wire(&coupling, &pipeline)))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(coupling): Path<String>,
    Json(update): Json<PipelineCouplingUpdate>,
) -> Result<Answer<PipelineCoupling>, ApiError> {
    caller.require_global()?;
    let (found, _) = api.controller.coupling_find(&caller, &coupling).await?;
    let stage = stage(update.stage.as_deref().unwrap_or(found.stage.as_str()))?;
    let (coupling, pipeline) = api.controller.coupling_update(&caller, &coupling, stage, api.now()).await?;
    Ok(Answer(wire(&coupling, &pipeline)))
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(coupling): Path<String>,
) -> Result<Answer<PipelineCoupling>, ApiError> {
    caller.require_global()?;
    let (coupling, pipeline) = api.controller.coupling_remove(&caller, &coupling).await?;
    Ok(Answer(wire(&coupling, &pipeline)))
}
