//! `/ambo/apps/{app}/healthchecks`

use std::collections::BTreeMap;

use ambo_api_types::{HealthCheck, HealthCheckKind, HealthCheckUpdate, HealthChecks, HealthChecksUpdate};
use ambo_controller::accounts::Permission;
use ambo_controller::formations::ProcessFormation;
use ambo_model::health::START_SECONDS_MAX;
use ambo_model::{Probe, ProcessType};
use axum::Json as Answer;
use axum::extract::State;

use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

/// Longest interval and timeout, in seconds.
const SECONDS_MAX: u32 = 3600;
/// Most failures in a row.
const FAILURES_MAX: u32 = 100;
/// Longest path, in characters.
const PATH_CHARS_MAX: usize = 2000;

fn wire(check: &ambo_model::HealthCheck) -> HealthCheck {
    let (kind, path, seconds) = match &check.probe {
        Probe::Tcp => (HealthCheckKind::Tcp, None, None),
        Probe::Http { path } => (HealthCheckKind::Http, Some(path.clone()), None),
        Probe::Uptime { seconds } => (HealthCheckKind::Uptime, None, Some(*seconds)),
    };
    HealthCheck {
        kind,
        path,
        seconds,
        interval: check.interval_seconds,
        timeout: check.timeout_seconds,
        failures: check.failures_max,
        start: check.start_seconds,
    }
}

fn wire_all(formations: &[ProcessFormation]) -> Answer<HealthChecks> {
    Answer(formations.iter().map(|f| (f.process.to_string(), wire(&f.health))).collect())
}

fn model(process: &ProcessType, update: HealthCheckUpdate) -> Result<ambo_model::HealthCheck, ApiError> {
    let invalid = |field: &str, text: &str| ApiError::invalid(format!("`{process}.{field}`: {text}"));
    let within = |field: &str, value: Option<u32>, default: u32, max: u32| match value.unwrap_or(default) {
        value if (1..=max).contains(&value) => Ok(value),
        _ => Err(invalid(field, &format!("use a number from 1 to {max}"))),
    };
    let probe = match update.kind {
        HealthCheckKind::Tcp => Probe::Tcp,
        HealthCheckKind::Uptime => Probe::Uptime { seconds: within("seconds", update.seconds, 3, SECONDS_MAX)? },
        HealthCheckKind::Http => {
            let path = update.path.unwrap_or_else(|| "/".to_owned());
            let ok = path.starts_with('/')
                && path.len() <= PATH_CHARS_MAX
                && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
            if !ok {
                return Err(invalid("path", "write a path such as `/healthz`, percent-encoded where needed"));
            }
            Probe::Http { path }
        }
    };
    let default = ambo_model::HealthCheck::default_for(process);
    Ok(ambo_model::HealthCheck {
        probe,
        interval_seconds: within("interval", update.interval, default.interval_seconds, SECONDS_MAX)?,
        timeout_seconds: within("timeout", update.timeout, default.timeout_seconds, SECONDS_MAX)?,
        failures_max: within("failures", update.failures, default.failures_max, FAILURES_MAX)?,
        start_seconds: within("start", update.start, default.start_seconds, START_SECONDS_MAX)?,
    })
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Answer<HealthChecks>, ApiError> {
    Ok(wire_all(&api.controller.formation_list(&caller, &app).await?.1))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(update): Json<HealthChecksUpdate>,
) -> Result<Answer<HealthChecks>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let mut checks = BTreeMap::new();
    for (name, wanted) in update {
        let process = ProcessType::parse(&name).map_err(|error| ApiError::invalid(error.to_string()))?;
        let check = wanted.map(|wanted| model(&process, wanted)).transpose()?;
        checks.insert(process, check);
    }
    Ok(wire_all(&api.controller.health_check_update(&caller, &app, &checks, api.now()).await?.1))
}
