//! `/apps/{app}/formation`

use std::collections::BTreeMap;

use ambo_api_types::{Formation, FormationBatchUpdate, FormationUpdate, Quantity};
use ambo_controller::accounts::{Caller, Permission};
use ambo_controller::formations::{FormationChange, ProcessFormation, Quantity as Wanted};
use ambo_model::{App, ProcessType};
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::sizes;
use crate::state::Api;
use crate::wire::{app_reference, derived_id, named};

fn wire(app: &App, formation: &ProcessFormation) -> Formation {
    let size = sizes::shown(&formation.entry);
    Formation {
        id: derived_id(&["formation", &app.id.to_string(), formation.process.as_str()]),
        process_type: formation.process.to_string(),
        command: formation.command.to_string(),
        quantity: formation.entry.count,
        dyno_size: named("size", &size),
        size,
        app: app_reference(app),
        created_at: app.created_at,
        updated_at: app.updated_at,
    }
}

fn pick(app: &App, formations: &[ProcessFormation], name: &str) -> Result<Formation, ApiError> {
    let shown = formations.iter().map(|formation| wire(app, formation));
    let unknown = || ApiError::not_found(format!("{} declares no process type `{name}`: see `ambo ps`", app.name));
    shown.into_iter().find(|found| found.process_type == name || found.id.to_string() == name).ok_or_else(unknown)
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<Formation>, ApiError> {
    let (app, formations) = api.controller.formation_list(&caller, &app).await?;
    let attributes: [crate::range::Attribute<Formation>; 2] = [
        ("type", |formation| Key::Text(formation.process_type.clone())),
        ("id", |formation| Key::Text(formation.id.to_string())),
    ];
    Ok(range.page(&attributes, formations.iter().map(|formation| wire(&app, formation)).collect()))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, process)): Path<(String, String)>,
) -> Result<Answer<Formation>, ApiError> {
    let (app, formations) = api.controller.formation_list(&caller, &app).await?;
    Ok(Answer(pick(&app, &formations, &process)?))
}

async fn scale(
    api: &Api,
    caller: &Caller,
    app: &str,
    updates: Vec<FormationUpdate>,
) -> Result<(App, Vec<ProcessFormation>), ApiError> {
    api.controller.app_find(caller, app, Permission::Deploy).await?;
    super::images::release(api, caller, app, &updates).await?;
    let mut wanted = BTreeMap::new();
    for (at, update) in updates.into_iter().enumerate() {
        let invalid = |text: &dyn std::fmt::Display| ApiError::invalid(format!("`updates[{at}].type`: {text}"));
        let name = update.process_type.ok_or_else(|| invalid(&"say which process to scale, such as `web`"))?;
        let process = ProcessType::parse(&name).map_err(|error| invalid(&error))?;
        let quantity = update.quantity.map(|quantity| match quantity {
            Quantity::To(count) => Wanted::Absolute(i64::from(count)),
            Quantity::By(step) => Wanted::Relative(i64::from(step)),
        });
        let size = update.size.map(|size| sizes::parse(&size, &format!("updates[{at}].size"))).transpose()?;
        if quantity.is_none() && size.is_none() {
            continue;
        }
        if wanted.insert(process, FormationChange { quantity, size }).is_some() {
            return Err(invalid(&format_args!("`{name}` is there twice")));
        }
    }
    if wanted.is_empty() {
        return Ok(api.controller.formation_list(caller, app).await?);
    }
    Ok(api.controller.formation_update(caller, app, &wanted, api.now()).await?)
}

pub(crate) async fn update_batch(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(batch): Json<FormationBatchUpdate>,
) -> Result<Answer<Vec<Formation>>, ApiError> {
    let (app, formations) = scale(&api, &caller, &app, batch.updates).await?;
    Ok(Answer(formations.iter().map(|formation| wire(&app, formation)).collect()))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, process)): Path<(String, String)>,
    Json(update): Json<FormationUpdate>,
) -> Result<Answer<Formation>, ApiError> {
    if let Some(None) = update.docker_image {
        // The process goes: what is shown is what there was.
        let (found, formations) = api.controller.formation_list(&caller, &app).await?;
        let gone = pick(&found, &formations, &process)?;
        let update = FormationUpdate { process_type: Some(gone.process_type.clone()), ..update };
        scale(&api, &caller, &app, vec![update]).await?;
        return Ok(Answer(Formation { quantity: 0, ..gone }));
    }
    let update = FormationUpdate { process_type: Some(process.clone()), ..update };
    let (app, formations) = scale(&api, &caller, &app, vec![update]).await?;
    Ok(Answer(pick(&app, &formations, &process)?))
}
