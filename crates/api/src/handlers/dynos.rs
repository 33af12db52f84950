//! `/apps/{app}/dynos`, `/apps/{app}/formations`: instances and one-off runs.

use std::collections::HashMap;

use ambo_api_types::{Dyno, DynoCreate, DynoExtra, Instance, ReleaseReference};
use ambo_controller::accounts::{Caller, Permission};
use ambo_controller::attach::AttachTarget;
use ambo_controller::instances::{InstanceView, RunRequest};
use ambo_model::{App, Command, ProcessType, ReleaseVersion};
use ambo_release::Restart;
use ambo_scheduler::{ExecSpec, TerminalSize};
use axum::Json as Answer;
use axum::extract::State;
use uuid::Uuid;

use crate::answer::{Accepted, Created, Nothing};
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::sizes;
use crate::state::Api;
use crate::wire::{BaseUrl, app_reference, derived_id};

/// A terminal whose client does not say how large it is.
const TERMINAL_DEFAULT: TerminalSize = TerminalSize { columns: 80, rows: 24 };
/// Most variables of one run.
const ENV_MAX: usize = 200;

/// The releases that instances are of, each looked up once.
struct Releases<'a> {
    api: &'a Api,
    caller: &'a Caller,
    met: HashMap<ReleaseVersion, Option<ReleaseReference>>,
}

impl<'a> Releases<'a> {
    fn new(api: &'a Api, caller: &'a Caller) -> Self {
        Self { api, caller, met: HashMap::new() }
    }

    async fn reference(&mut self, app: &App, version: ReleaseVersion) -> Result<Option<ReleaseReference>, ApiError> {
        if let Some(met) = self.met.get(&version) {
            return Ok(met.clone());
        }
        let found = self.api.controller.release_find(self.caller, &app.id.to_string(), &version.to_string()).await;
        let reference = found.ok().map(|(_, release)| ReleaseReference { id: release.id.uuid(), version: version.0 });
        self.met.insert(version, reference.clone());
        Ok(reference)
    }
}

fn instance_id(view: &InstanceView) -> Uuid {
    derived_id(&["instance", view.instance.id.as_str()])
}

fn wire(app: &App, view: InstanceView, release: Option<ReleaseReference>) -> Instance {
    let id = instance_id(&view);
    let instance = view.instance;
    let at = instance.started_at.unwrap_or(app.updated_at);
    let dyno = Dyno {
        id,
        name: instance.name(),
        process_type: instance.workload.process.to_string(),
        command: view.command,
        size: sizes::shown(&app.formation.entry(&instance.workload.process)),
        state: view.state.to_owned(),
        attach_url: None,
        ambo: None,
        release,
        app: app_reference(app),
        created_at: at,
        updated_at: at,
    };
    Instance { dyno, node: Some(instance.node), started_at: instance.started_at, restarts: Some(instance.restarts) }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<Instance>, ApiError> {
    let (app, views) = api.controller.instance_list(&caller, &app).await?;
    let mut releases = Releases::new(&api, &caller);
    let mut shown = Vec::with_capacity(views.len());
    for view in views {
        let release = releases.reference(&app, view.instance.workload.release).await?;
        shown.push(wire(&app, view, release));
    }
    let attributes: [crate::range::Attribute<Instance>; 2] = [
        ("name", |instance| Key::Text(sortable(&instance.dyno.name))),
        ("id", |instance| Key::Text(instance.dyno.id.to_string())),
    ];
    Ok(range.page(&attributes, shown))
}

/// `web.2` before `web.10`.
fn sortable(name: &str) -> String {
    match name.rsplit_once('.').map(|(process, index)| (process, index.parse::<u32>())) {
        Some((process, Ok(index))) => format!("{process}.{index:010}"),
        _ => name.to_owned(),
    }
}

/// The name of the instance that a client means by name or id.
async fn named(api: &Api, caller: &Caller, app: &str, dyno: String) -> Result<String, ApiError> {
    let Ok(id) = dyno.parse::<Uuid>() else { return Ok(dyno) };
    let (_, views) = api.controller.instance_list(caller, app).await?;
    let found = views.iter().find(|view| instance_id(view) == id).map(|view| view.instance.name());
    found.ok_or_else(|| ApiError::not_found(format!("Couldn't find that dyno: `{id}`; see `ambo ps`")))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, dyno)): Path<(String, String)>,
) -> Result<Answer<Instance>, ApiError> {
    let name = named(&api, &caller, &app, dyno).await?;
    let (app, views) = api.controller.instance_list(&caller, &app).await?;
    let unknown = || ApiError::not_found(format!("Couldn't find that dyno: `{name}`; see `ambo ps`"));
    let view = views.into_iter().rev().find(|view| view.instance.name() == name).ok_or_else(unknown)?;
    let release = Releases::new(&api, &caller).reference(&app, view.instance.workload.release).await?;
    Ok(Answer(wire(&app, view, release)))
}

/// The terminal that a client wants. Heroku's client always wants one unless it says no, and tells its size by `COLUMNS`
/// and `LINES`; ours tells it beside the rest.
fn terminal(wanted: &DynoCreate) -> Option<TerminalSize> {
    if !wanted.attach.unwrap_or(false) || wanted.force_no_tty.unwrap_or(false) {
        return None;
    }
    let number = |key: &str| wanted.env.get(key).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    Some(match wanted.ambo {
        Some(size) => TerminalSize { columns: size.columns.max(1), rows: size.rows.max(1) },
        None => TerminalSize {
            columns: number("COLUMNS").unwrap_or(TERMINAL_DEFAULT.columns),
            rows: number("LINES").unwrap_or(TERMINAL_DEFAULT.rows),
        },
    })
}

fn check(wanted: &DynoCreate) -> Result<(), ApiError> {
    if wanted.command.trim().is_empty() || wanted.command.contains('\0') {
        return Err(ApiError::invalid("`command`: say what to run, as in `bash`"));
    }
    if wanted.env.len() > ENV_MAX {
        return Err(ApiError::invalid(format!("`env`: at most {ENV_MAX} variables can be given")));
    }
    let bad =
        wanted.env.iter().find(|(key, value)| key.is_empty() || key.contains(['=', '\0']) || value.contains('\0'));
    match bad {
        Some((key, _)) => Err(ApiError::invalid(format!("`env.{key}`: no environment can hold this variable"))),
        None => Ok(()),
    }
}

/// Opens a session for somebody to attach to, and says so in the answer: both doors, whoever asks. The client takes the one
/// that it knows.
fn open(api: &Api, base: &BaseUrl, target: AttachTarget, dyno: &mut Dyno) -> Result<(), ApiError> {
    let busy = || ApiError::unavailable("too many sessions wait for somebody to attach: try again in a minute");
    let secret = api.controller.attach.open(target).ok_or_else(busy)?;
    let websocket = format!("{}/ambo/attach/{secret}", base.websocket());
    dyno.attach_url = Some(match &api.settings.rendezvous {
        Some(address) => {
            let host = address.host.as_deref().unwrap_or_else(|| base.host());
            format!("rendezvous://{host}:{}/{secret}", address.port)
        }
        None => websocket.clone(),
    });
    dyno.ambo = Some(DynoExtra { attach_url: websocket });
    Ok(())
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path(app): Path<String>,
    Json(wanted): Json<DynoCreate>,
) -> Result<Created<Dyno>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    check(&wanted)?;
    let attach = wanted.attach.unwrap_or(false);
    let process = wanted.process_type.as_deref().map(ProcessType::parse).transpose();
    let request = RunRequest {
        command: wanted.command.clone(),
        env: wanted.env.clone(),
        terminal: terminal(&wanted),
        detach: !attach,
        process: process.map_err(|error| ApiError::invalid(format!("`type`: {error}")))?,
    };
    let (app, spec) = api.controller.run_prepare(&caller, &app, request).await?;
    let now = api.now();
    let mut dyno = Dyno {
        id: spec.id.to_string().parse().map_err(|error: uuid::Error| ApiError::internal(&error))?,
        name: spec.name.clone(),
        process_type: ProcessType::run().to_string(),
        command: wanted.command,
        size: sizes::limits_shown(&spec.limits),
        state: "starting".to_owned(),
        attach_url: None,
        ambo: None,
        release: Releases::new(&api, &caller).reference(&app, spec.release).await?,
        app: app_reference(&app),
        created_at: now,
        updated_at: now,
    };
    if attach {
        open(&api, &base, AttachTarget::Run(Box::new(spec)), &mut dyno)?;
    } else {
        drop(api.controller.run_start(spec).await?);
    }
    Ok(Created(dyno))
}

/// Runs a program inside a live instance.
pub(crate) async fn exec(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    base: BaseUrl,
    Path((app, dyno)): Path<(String, String)>,
    Json(mut wanted): Json<DynoCreate>,
) -> Result<Created<Dyno>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    check(&wanted)?;
    // Somebody always attaches: nobody else would see what the program says.
    wanted.attach = Some(true);
    let name = named(&api, &caller, &app, dyno).await?;
    let (app, instance) = api.controller.exec_prepare(&caller, &app, &name).await?;
    let exec = ExecSpec {
        terminal: terminal(&wanted),
        command: Command::Shell(wanted.command.clone()),
        env: std::mem::take(&mut wanted.env),
    };
    let release = Releases::new(&api, &caller).reference(&app, instance.workload.release).await?;
    let view = InstanceView { instance: instance.clone(), state: "up", command: wanted.command };
    let mut dyno = wire(&app, view, release).dyno;
    open(&api, &base, AttachTarget::Exec(Box::new(instance), exec), &mut dyno)?;
    Ok(Created(dyno))
}

/// What actions answer: nothing that anybody reads.
pub(crate) async fn restart_all(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
) -> Result<Accepted<Nothing>, ApiError> {
    api.controller.app_restart(&caller, &app, Restart::All, api.now()).await?;
    Ok(Accepted(Nothing {}))
}

fn process(text: &str) -> Result<ProcessType, ApiError> {
    ProcessType::parse(text).map_err(|error| ApiError::not_found(error.to_string()))
}

pub(crate) async fn restart_process(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, name)): Path<(String, String)>,
) -> Result<Accepted<Nothing>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    api.controller.app_restart(&caller, &app, Restart::Process(process(&name)?), api.now()).await?;
    Ok(Accepted(Nothing {}))
}

/// Stops one instance. One that the formation wants is replaced at once, which is what a restart of it is.
pub(crate) async fn stop(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, dyno)): Path<(String, String)>,
) -> Result<Accepted<Nothing>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let name = named(&api, &caller, &app, dyno).await?;
    api.controller.instance_stop(&caller, &app, &name).await?;
    Ok(Accepted(Nothing {}))
}

pub(crate) async fn stop_process(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, name)): Path<(String, String)>,
) -> Result<Accepted<Nothing>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    api.controller.process_stop(&caller, &app, &process(&name)?).await?;
    Ok(Accepted(Nothing {}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_listed_by_number() {
        assert!(sortable("web.2") < sortable("web.10"));
        assert_eq!(sortable("odd"), "odd");
    }

    #[test]
    fn a_terminal_has_the_size_that_the_client_says() {
        let wanted = |json: &str| serde_json::from_str::<DynoCreate>(json).unwrap();
        assert_eq!(terminal(&wanted(r#"{"command":"x"}"#)), None);
        assert_eq!(terminal(&wanted(r#"{"command":"x","attach":true,"force_no_tty":true}"#)), None);
        let heroku = wanted(r#"{"command":"x","attach":true,"env":{"COLUMNS":120,"LINES":"40"}}"#);
        assert_eq!(terminal(&heroku), Some(TerminalSize { columns: 120, rows: 40 }));
        let ours = wanted(r#"{"command":"x","attach":true,"ambo":{"columns":99,"rows":0}}"#);
        assert_eq!(terminal(&ours), Some(TerminalSize { columns: 99, rows: 1 }));
        assert_eq!(terminal(&wanted(r#"{"command":"x","attach":true}"#)), Some(TERMINAL_DEFAULT));
    }
}
