//! Setting an app up from a source that says what it needs (`app.json`): config, build, release, formation, and a script
//! that runs once.
//!
//! A setup is a record beside its app and has the app's id. It goes on in the background; a stop of the platform fails it.
//! An app whose setup failed stays, so that what went wrong can be looked at: destroy it to begin anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambo_builder::source::file_peek;
use ambo_model::{AccountId, App, AppId, AppName, Build, BuildId, BuildStatus, Secret, Timestamp};
use ambo_scheduler::AttachedOutput;
use ambo_store::Transaction;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use futures::future::BoxFuture;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::accounts::{Caller, Permission};
use crate::app_manifest::{AppManifest, MANIFEST_BYTES_MAX};
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::formations::{FormationChange, Quantity};
use crate::instances::RunRequest;
use crate::keys;
use crate::progress::Progress;
use crate::push::{ArchiveFile, Deploy};
use crate::records::{get, json, list, replace, retry_conflicts};

/// Output of the script that is kept, in bytes.
const SCRIPT_OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a generated secret.
const SECRET_BYTES: usize = 32;

/// A setup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppSetup {
    /// Of which app; also the setup's own id.
    pub app: AppId,
    /// The app's name when it was made.
    pub app_name: AppName,
    /// Who asked for it.
    pub by: AccountId,
    /// How far.
    pub status: AppSetupStatus,
    /// What is wrong with `app.json`.
    pub manifest_errors: Vec<String>,
    /// The build.
    pub build: Option<BuildId>,
    /// What the script said.
    pub postdeploy: Option<ScriptRun>,
    /// Where to go next.
    pub success_url: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How far a setup is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum AppSetupStatus {
    /// Going on.
    Pending,
    /// Not done.
    Failed {
        /// What the user reads.
        reason: String,
    },
    /// Done.
    Succeeded,
}

/// How the script ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptRun {
    /// What it wrote, the beginning of it.
    pub output: String,
    /// Its exit code.
    pub exit_code: i32,
}

/// What a setup is asked to do.
#[derive(Debug)]
pub struct AppSetupRequest {
    /// The app's name; made up without one.
    pub name: Option<AppName>,
    /// The source.
    pub deploy: Deploy,
    /// Config that wins over what `app.json` says.
    pub env: BTreeMap<String, String>,
}

/// Why a setup stopped.
struct Stopped {
    reason: String,
    manifest_errors: Vec<String>,
}

impl<E: std::error::Error> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self { reason: chain(&error), manifest_errors: Vec::new() }
    }
}

impl Controller {
    /// Creates an app and sets it up in the background. `started` is given the build, as in
    /// [`Controller::deploy_in_background`].
    ///
    /// # Errors
    /// When the app cannot be created.
    pub async fn app_setup_create(
        self: &Arc<Self>,
        caller: &Caller,
        request: AppSetupRequest,
        started: impl FnOnce(&Build) -> (Progress, BoxFuture<'static, ()>) + Send + 'static,
        now: Timestamp,
    ) -> Result<AppSetup, ControllerError> {
        let app = self.app_create(caller, request.name, now).await?;
        let setup = AppSetup {
            app: app.id,
            app_name: app.name.clone(),
            by: caller.account,
            status: AppSetupStatus::Pending,
            manifest_errors: Vec::new(),
            build: None,
            postdeploy: None,
            success_url: None,
            created_at: now,
            updated_at: now,
        };
        self.store.commit(Transaction::new().put(keys::app_setup(app.id), json(&setup))).await?;
        let (controller, caller) = (Arc::clone(self), caller.clone());
        self.tasks.spawn(async move {
            let ran = controller.app_setup_run(&caller, &app, request.deploy, &request.env, started).await;
            let ended = controller.app_setup_update(app.id, |setup| match &ran {
                Ok(()) => setup.status = AppSetupStatus::Succeeded,
                Err(stopped) => {
                    setup.status = AppSetupStatus::Failed { reason: stopped.reason.clone() };
                    setup.manifest_errors.clone_from(&stopped.manifest_errors);
                }
            });
            if let Err(error) = ended.await {
                tracing::warn!(app = %app.name, error = %chain(&error), "cannot write down how a setup ended");
            }
        });
        Ok(setup)
    }

    /// A setup, by its id.
    ///
    /// # Errors
    /// `NotFound` when there is none, or its app is not the caller's to see.
    pub async fn app_setup_find(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(AppSetup, Option<Build>), ControllerError> {
        let unknown = || ControllerError::NotFound(format!("there is no app setup `{id}` that you have access to"));
        let app: AppId = id.parse().map_err(|_| unknown())?;
        self.app_find(caller, &app.to_string(), Permission::Read).await.map_err(|error| match error {
            ControllerError::NotFound(_) => unknown(),
            error => error,
        })?;
        let setup = get::<AppSetup>(&*self.store, &keys::app_setup(app)).await?.ok_or_else(unknown)?.value;
        let build = match setup.build {
            Some(build) => get::<Build>(&*self.store, &keys::build(app, build)).await?.map(|found| found.value),
            None => None,
        };
        Ok((setup, build))
    }

    /// Fails every setup that was going on when the control plane stopped.
    pub(crate) async fn app_setups_recover(&self) -> Result<(), ControllerError> {
        for found in list::<AppSetup>(&*self.store, keys::APP_SETUPS).await? {
            if found.value.status == AppSetupStatus::Pending {
                let reason = "interrupted: the platform stopped during the setup".to_owned();
                let failed = AppSetupStatus::Failed { reason };
                self.app_setup_update(found.value.app, |setup| setup.status = failed.clone()).await?;
            }
        }
        Ok(())
    }

    async fn app_setup_update(&self, app: AppId, change: impl Fn(&mut AppSetup)) -> Result<(), ControllerError> {
        retry_conflicts(|| async {
            let Some(mut found) = get::<AppSetup>(&*self.store, &keys::app_setup(app)).await? else { return Ok(()) };
            change(&mut found.value);
            found.value.updated_at = Timestamp::now();
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>(())
        })
        .await
    }

    async fn app_setup_run(
        &self,
        caller: &Caller,
        app: &App,
        deploy: Deploy,
        overrides: &BTreeMap<String, String>,
        started: impl FnOnce(&Build) -> (Progress, BoxFuture<'static, ()>) + Send,
    ) -> Result<(), Stopped> {
        let build = self.build_create(app.id, caller, crate::push::source_of(&deploy), Timestamp::now()).await?;
        let (progress, follow) = started(&build);
        self.app_setup_update(app.id, |setup| setup.build = Some(build.id)).await?;
        let building = async move {
            let prepared = self.app_setup_prepare(caller, app, deploy, overrides, &progress).await;
            let (deploy, manifest, _file) = match prepared {
                Ok(prepared) => prepared,
                Err(stopped) => {
                    progress.warning(&stopped.reason).await;
                    self.build_finish(&build, BuildStatus::Failed { reason: stopped.reason.clone() }).await?;
                    return Err(stopped);
                }
            };
            let never = CancellationToken::new();
            let deployed = self.deploy_begun(app.id, caller, deploy, build, &progress, &never).await;
            if let Err(error) = &deployed {
                progress.failure(error).await;
            }
            deployed?;
            Ok(manifest)
        };
        let (manifest, ()) = tokio::join!(building, follow);
        let manifest = manifest?;
        let name = app.id.to_string();
        let wanted = manifest.formation().map_err(manifest_error)?;
        let change = |count: u32| FormationChange { quantity: Some(Quantity::Absolute(count.into())), size: None };
        let changes: BTreeMap<_, _> = wanted.into_iter().map(|(process, count)| (process, change(count))).collect();
        if !changes.is_empty() {
            self.formation_update(caller, &name, &changes, Timestamp::now()).await?;
        }
        if let Some(command) = manifest.postdeploy() {
            self.app_setup_script(caller, app, command).await?;
        }
        let base = self.settings.web_url(&app.name);
        let success = manifest.success_url.as_deref().map(|to| match to.contains("://") {
            true => to.to_owned(),
            false => format!("{base}{}", to.trim_start_matches('/')),
        });
        self.app_setup_update(app.id, |setup| setup.success_url.clone_from(&success)).await?;
        Ok(())
    }

    /// Fetches the source, reads what it needs, and sets the config.
    async fn app_setup_prepare(
        &self,
        caller: &Caller,
        app: &App,
        deploy: Deploy,
        overrides: &BTreeMap<String, String>,
        progress: &Progress,
    ) -> Result<(Deploy, AppManifest, Option<ArchiveFile>), Stopped> {
        let (deploy, file) = crate::builds::fetched(deploy, progress).await?;
        let Deploy::Source { archive, .. } = &deploy else {
            return Err(manifest_error("the source is no archive".to_owned()));
        };
        let archive = archive.clone();
        let read = tokio::task::spawn_blocking(move || file_peek(&archive, "app.json", MANIFEST_BYTES_MAX)).await??;
        let text = read.ok_or_else(|| manifest_error("there is no app.json at the root of the source".to_owned()))?;
        let manifest = AppManifest::parse(&text).map_err(manifest_error)?;
        let config = manifest.config(overrides, secret).map_err(|manifest_errors| Stopped {
            reason: format!("app.json cannot be followed: {}", manifest_errors.join("; ")),
            manifest_errors,
        })?;
        if !config.is_empty() {
            self.config_update(caller, &app.id.to_string(), &config, Timestamp::now()).await?;
        }
        Ok((deploy, manifest, file))
    }

    /// Runs the script in an instance of its own.
    async fn app_setup_script(&self, caller: &Caller, app: &App, command: &str) -> Result<(), Stopped> {
        let request = RunRequest {
            command: command.to_owned(),
            env: BTreeMap::new(),
            terminal: None,
            detach: false,
            process: None,
        };
        let (_, spec) = self.run_prepare(caller, &app.id.to_string(), request).await?;
        let running = async {
            let mut attached = self.run_start(spec).await?;
            drop(attached.input);
            let mut output = Vec::new();
            while let Some(chunk) = attached.output.next().await {
                let (AttachedOutput::Stdout(bytes) | AttachedOutput::Stderr(bytes)) = chunk?;
                let room = SCRIPT_OUTPUT_BYTES_MAX.saturating_sub(output.len());
                output.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            let exit_code = attached.control.exit_code().await?;
            let output = String::from_utf8_lossy(&output).into_owned();
            Ok::<_, ControllerError>(ScriptRun { output, exit_code })
        };
        let limit = self.settings.release_phase_max;
        let timeout = |_| Stopped {
            reason: format!("the postdeploy script took longer than {} minutes", limit.as_secs() / 60),
            manifest_errors: Vec::new(),
        };
        let ran = tokio::time::timeout(limit, running).await.map_err(timeout)??;
        self.app_setup_update(app.id, |setup| setup.postdeploy = Some(ran.clone())).await?;
        if ran.exit_code == 0 {
            return Ok(());
        }
        let reason = format!("the postdeploy script failed with exit code {}", ran.exit_code);
        Err(Stopped { reason, manifest_errors: Vec::new() })
    }
}

fn manifest_error(text: String) -> Stopped {
    Stopped { reason: text.clone(), manifest_errors: vec![text] }
}

fn secret() -> Secret {
    let mut bytes = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}
