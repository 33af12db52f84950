//! `/ambo/apps/{app}/limits`

use std::collections::BTreeMap;

use ambo_api_types::{Limits, LimitsUpdate, ProcessLimits};
use ambo_controller::accounts::Permission;
use ambo_controller::formations::ProcessFormation;
use ambo_model::ProcessType;
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

fn wire(formations: &[ProcessFormation]) -> Answer<Limits> {
    let text = |formation: &ProcessFormation| ProcessLimits {
        memory: formation.entry.limits.memory.map(|memory| memory.to_string()),
        cpu: formation.entry.limits.cpu.map(|cpu| cpu.to_string()),
    };
    Answer(formations.iter().map(|formation| (formation.process.to_string(), text(formation))).collect())
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<Limits>, ApiError> {
    Ok(wire(&api.controller.formation_list(&caller, &app).await?.1))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(update): Json<LimitsUpdate>,
) -> Result<Answer<Limits>, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let mut wanted = BTreeMap::new();
    for (name, change) in update {
        let process = ProcessType::parse(&name).map_err(|error| ApiError::invalid(error.to_string()))?;
        let mut limits = app.formation.entry(&process).limits;
        let invalid =
            |field: &str, error: &dyn std::error::Error| ApiError::invalid(format!("`{name}.{field}`: {error}"));
        if let Some(memory) = change.memory {
            let parsed = memory.as_deref().map(ambo_model::Limits::parse_memory).transpose();
            limits.memory = parsed.map_err(|error| invalid("memory", &error))?;
        }
        if let Some(cpu) = change.cpu {
            limits.cpu = cpu.as_deref().map(str::parse).transpose().map_err(|error| invalid("cpu", &error))?;
        }
        wanted.insert(process, limits);
    }
    Ok(wire(&api.controller.limits_update(&caller, &app.id.to_string(), &wanted, api.now()).await?.1))
}
