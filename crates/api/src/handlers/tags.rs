//! `/ambo/apps/{app}/tags`

use std::collections::BTreeMap;

use ambo_api_types::{Tags, TagsUpdate};
use ambo_controller::formations::ProcessFormation;
use ambo_controller::placement::TagChanges;
use ambo_model::{NodeError, ProcessType};
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

fn wire(formations: &[ProcessFormation]) -> Answer<Tags> {
    let text = |formation: &ProcessFormation| {
        let tags = formation.entry.tags.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        (formation.process.to_string(), tags.collect())
    };
    Answer(formations.iter().map(text).collect())
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<Tags>, ApiError> {
    Ok(wire(&api.controller.formation_list(&caller, &app).await?.1))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(update): Json<TagsUpdate>,
) -> Result<Answer<Tags>, ApiError> {
    let mut changes = BTreeMap::new();
    for (name, tags) in update {
        let process = ProcessType::parse(&name).map_err(|error| ApiError::invalid(error.to_string()))?;
        let parsed = parse(tags).map_err(|error| ApiError::invalid(format!("`{name}`: {error}")))?;
        changes.insert(process, parsed);
    }
    Ok(wire(&api.controller.tags_update(&caller, &app, &changes, api.now()).await?.1))
}

fn parse(tags: BTreeMap<String, Option<String>>) -> Result<TagChanges, NodeError> {
    tags.into_iter().map(|(key, value)| Ok((key.parse()?, value.map(|value| value.parse()).transpose()?))).collect()
}
