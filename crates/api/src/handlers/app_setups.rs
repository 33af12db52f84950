//! `/app-setups`: an app from a source whose `app.json` says what it needs.

use ambo_api_types::{AppReference, AppSetup, AppSetupBuild, AppSetupCreate, Postdeploy};
use ambo_controller::app_setups::{self, AppSetupRequest, AppSetupStatus};
use ambo_model::{AppName, Build, BuildStatus};
use axum::Json as Answer;
use axum::extract::State;

use super::builds::{fetched_deploy, output_stream_url};
use crate::answer::Accepted;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;
use crate::wire::BaseUrl;

fn wire(api: &Api, base: &BaseUrl, setup: app_setups::AppSetup, build: Option<&Build>) -> AppSetup {
    let (status, failure_message) = match setup.status {
        AppSetupStatus::Pending => ("pending", None),
        AppSetupStatus::Failed { reason } => ("failed", Some(reason)),
        AppSetupStatus::Succeeded => ("succeeded", None),
    };
    let build = build.map(|build| AppSetupBuild {
        id: build.id.uuid(),
        status: match build.status {
            BuildStatus::Pending => "pending",
            BuildStatus::Succeeded { .. } => "succeeded",
            BuildStatus::Failed { .. } => "failed",
        }
        .to_owned(),
        output_stream_url: output_stream_url(api, base, build),
    });
    AppSetup {
        id: setup.app.uuid(),
        app: AppReference { id: setup.app.uuid(), name: setup.app_name.to_string() },
        build,
        status: status.to_owned(),
        failure_message,
        manifest_errors: setup.manifest_errors,
        postdeploy: setup.postdeploy.map(|ran| Postdeploy { output: ran.output, exit_code: ran.exit_code }),
        resolved_success_url: setup.success_url,
        created_at: setup.created_at,
        updated_at: setup.updated_at,
    }
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Json(wanted): Json<AppSetupCreate>,
) -> Result<Accepted<AppSetup>, ApiError> {
    caller.require_global()?;
    let parse = |text: String| AppName::parse(&text).map_err(|error| ApiError::invalid(format!("`app.name`: {error}")));
    let name = wanted.app.name.map(parse).transpose()?;
    let deploy = fetched_deploy(&api, wanted.source_blob)?;
    let request = AppSetupRequest { name, deploy, env: wanted.overrides.env };
    let outputs = api.outputs.clone();
    let started = move |build: &Build| outputs.record(build.id);
    let setup = api.controller.app_setup_create(&caller, request, started, api.now()).await?;
    Ok(Accepted(wire(&api, &base, setup, None)))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(setup): Path<String>,
) -> Result<Answer<AppSetup>, ApiError> {
    let (setup, build) = api.controller.app_setup_find(&caller, &setup).await?;
    Ok(Answer(wire(&api, &base, setup, build.as_ref())))
}
