//! `/pipelines`, `/pipeline-transfers`

use ambo_api_types::{
    IdReference, Pipeline, PipelineCreate, PipelineOwner, PipelineTransfer, PipelineTransferCreate, PipelineUpdate,
};
use ambo_controller::accounts::Caller;
use ambo_model::{AccountId, PipelineName};
use axum::Json as Answer;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Attribute, Key, Page, Range};
use crate::state::Api;
use crate::wire::named;

const ATTRIBUTES: [Attribute<Pipeline>; 2] =
    [("name", |pipeline| Key::Text(pipeline.name.clone())), ("id", |pipeline| Key::Text(pipeline.id.to_string()))];

fn owner(account: AccountId) -> PipelineOwner {
    PipelineOwner { id: account.uuid(), kind: "user".to_owned() }
}

fn wire(pipeline: &ambo_model::Pipeline) -> Pipeline {
    Pipeline {
        id: pipeline.id.uuid(),
        name: pipeline.name.to_string(),
        owner: Some(owner(pipeline.owner)),
        generation: named("generation", "cedar"),
        created_at: pipeline.created_at,
        updated_at: pipeline.updated_at,
    }
}

fn name(text: &str) -> Result<PipelineName, ApiError> {
    PipelineName::parse(text).map_err(|error| ApiError::invalid(format!("`name`: {error}")))
}

/// As clients look a pipeline up.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct NameFilter {
    /// Only the pipeline of this name.
    #[serde(rename = "eq[name]")]
    name: Option<String>,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    query: Result<Query<NameFilter>, QueryRejection>,
    range: Range,
) -> Result<Page<Pipeline>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::invalid(format!("the query cannot be read: {error}")))?;
    let mut pipelines = api.controller.pipeline_list(&caller).await?;
    if let Some(wanted) = &query.name {
        pipelines.retain(|pipeline| pipeline.name.as_str() == wanted);
    }
    Ok(range.page(&ATTRIBUTES, pipelines.iter().map(wire).collect()))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(wanted): Json<PipelineCreate>,
) -> Result<Created<Pipeline>, ApiError> {
    caller.require_global()?;
    if let Some(owner) = &wanted.owner {
        owner_is_caller(&caller, owner)?;
    }
    let pipeline = api.controller.pipeline_create(&caller, name(&wanted.name)?, api.now()).await?;
    Ok(Created(wire(&pipeline)))
}

fn owner_is_caller(caller: &Caller, owner: &PipelineOwner) -> Result<(), ApiError> {
    user(owner, "owner")?;
    if owner.id == caller.account.uuid() {
        return Ok(());
    }
    Err(ApiError::invalid("`owner`: create it as your own, then transfer it with `pipelines:transfer`"))
}

fn user(owner: &PipelineOwner, field: &str) -> Result<(), ApiError> {
    if owner.kind == "user" {
        return Ok(());
    }
    Err(ApiError::invalid(format!("`{field}.type`: there are no teams here: name an account, with the type `user`")))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(pipeline): Path<String>,
) -> Result<Answer<Pipeline>, ApiError> {
    Ok(Answer(wire(&api.controller.pipeline_find(&caller, &pipeline).await?)))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(pipeline): Path<String>,
    Json(update): Json<PipelineUpdate>,
) -> Result<Answer<Pipeline>, ApiError> {
    caller.require_global()?;
    let found = api.controller.pipeline_find(&caller, &pipeline).await?;
    let new = name(update.name.as_deref().unwrap_or(found.name.as_str()))?;
    Ok(Answer(wire(&api.controller.pipeline_rename(&caller, &found.id.to_string(), &new, api.now()).await?)))
}

pub(crate) async fn destroy(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(pipeline): Path<String>,
) -> Result<Answer<Pipeline>, ApiError> {
    caller.require_global()?;
    Ok(Answer(wire(&api.controller.pipeline_destroy(&caller, &pipeline).await?)))
}

pub(crate) async fn transfer(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(wanted): Json<PipelineTransferCreate>,
) -> Result<Created<PipelineTransfer>, ApiError> {
    caller.require_global()?;
    api.controller.pipeline_find(&caller, &wanted.pipeline.id).await?;
    user(&wanted.new_owner, "new_owner")?;
    let unreadable = || ApiError::invalid("`new_owner.id`: this is no account's id");
    let to: AccountId = wanted.new_owner.id.to_string().parse().map_err(|_| unreadable())?;
    let (pipeline, former) = api.controller.pipeline_transfer(&caller, &wanted.pipeline.id, to, api.now()).await?;
    let transfer = PipelineTransfer {
        pipeline: IdReference { id: pipeline.id.uuid() },
        previous_owner: owner(former),
        new_owner: owner(pipeline.owner),
    };
    Ok(Created(transfer))
}
