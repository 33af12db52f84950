//! A push from end to end: receive, build, cut, roll out, route.
//!
//! Each step is durable before the next begins. A control plane that dies between two of them leaves a build or a release
//! marked pending; on its next start both are failed (`builds_recover`, `releases_recover`), since whoever waited for them has
//! been told nothing. What serves is untouched until the single transaction that switches to the new release.

use std::path::PathBuf;
use std::sync::Arc;

use ambo_builder::{BuildRequest, ImageImport, process_table_of_image};
use ambo_model::{
    App, AppId, Artifact, Build, BuildId, BuildSource, BuildStatus, ImageReference, Procfile, Release, ReleaseVersion,
    Timestamp,
};
use ambo_release::{Change, Restart};
use tokio_util::sync::CancellationToken;

use crate::accounts::Caller;
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::progress::Progress;

/// Begins the tags that builds give their images; they go with the images, unlike tags that users push.
pub const BUILD_TAG_PREFIX: &str = "build-";

/// Something to deploy.
#[derive(Debug)]
pub enum Deploy {
    /// Source as a tar file, which is the caller's to remove afterwards.
    Source {
        /// The file.
        archive: PathBuf,
        /// Where it came from.
        source: BuildSource,
    },
    /// An image that exists already.
    Image {
        /// Which.
        reference: ImageReference,
        /// Its processes; the image's own command is `web` without.
        procfile: Option<Procfile>,
    },
}

/// A deploy that serves.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The app.
    pub app: App,
    /// The build.
    pub build: Build,
    /// The release.
    pub version: ReleaseVersion,
    /// Where it answers.
    pub url: String,
}

/// A deploy that serves nothing: how far it came, and why no further. The old release goes on untouched.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct DeployError {
    /// The build, when it became one.
    pub build: Option<BuildId>,
    /// The release, when it became one.
    pub release: Option<ReleaseVersion>,
    /// Why.
    #[source]
    pub fault: DeployFault,
}

/// Why a deploy serves nothing.
#[derive(Debug, thiserror::Error)]
pub enum DeployFault {
    /// Whoever waited has left.
    #[error("cancelled")]
    Cancelled,
    /// The platform is being stopped.
    #[error("the platform is restarting: push again in a moment")]
    Stopping,
    /// The operation failed.
    #[error(transparent)]
    Controller(#[from] ControllerError),
    /// The new release did not come up.
    #[error(transparent)]
    Rollout(#[from] crate::rollout::RolloutError),
}

impl Controller {
    /// Deploys: build, release, rollout; telling the progress line by line.
    ///
    /// # Errors
    /// See [`DeployError`]. What had been written down is marked failed.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the deploy, unless the routes have switched already.
    pub async fn deploy(
        self: &Arc<Self>,
        app: AppId,
        caller: &Caller,
        deploy: Deploy,
        progress: Progress,
    ) -> Result<Deployed, DeployError> {
        let cancel = CancellationToken::new();
        let _cancel_on_drop = cancel.clone().drop_guard();
        let (controller, caller) = (Arc::clone(self), caller.clone());
        let task = async move { controller.deploy_task(app, &caller, deploy, &progress, &cancel).await };
        match self.tasks.spawn(task).await {
            Ok(result) => result,
            Err(_) => Err(DeployError { build: None, release: None, fault: DeployFault::Stopping }),
        }
    }

    async fn deploy_task(
        &self,
        app: AppId,
        caller: &Caller,
        deploy: Deploy,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Deployed, DeployError> {
        let mut reached = Reached::default();
        let ended = self.deploy_steps(app, caller, deploy, progress, cancel, &mut reached).await;
        ended.map_err(|fault| DeployError { build: reached.build, release: reached.release, fault })
    }

    async fn deploy_steps(
        &self,
        app: AppId,
        caller: &Caller,
        deploy: Deploy,
        progress: &Progress,
        cancel: &CancellationToken,
        reached: &mut Reached,
    ) -> Result<Deployed, DeployFault> {
        let _turn = self.unless_cancelled(cancel, self.deploy_wait(app, caller, progress)).await??;
        let build = self.build_create(app, caller, source_of(&deploy), Timestamp::now()).await?;
        reached.build = Some(build.id);
        let build = self.build_run(build, deploy, progress, cancel).await?;
        let release = self.release_create(app, caller, &Change::Built(&build), Timestamp::now()).await?;
        reached.release = Some(release.version);
        self.release_roll_out(&release, progress, cancel).await?;
        Ok(self.deploy_announce(build, &release, progress).await?)
    }

    async fn deploy_wait(
        &self,
        app: AppId,
        caller: &Caller,
        progress: &Progress,
    ) -> Result<crate::turns::TurnGuard, ControllerError> {
        if let Some(holder) = self.deploys.holder(app) {
            progress.heading(&format!("Waiting for {} to finish…", holder.who)).await;
        }
        self.deploy_turn(app, &format!("a deploy by {}", caller.email)).await
    }

    /// Builds, and writes down how it ended.
    async fn build_run(
        &self,
        build: Build,
        deploy: Deploy,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Build, DeployFault> {
        let built = match self.unless_cancelled(cancel, self.build_artifact(&build, deploy, progress)).await {
            Ok(result) => result.map_err(DeployFault::from),
            Err(cancelled) => Err(cancelled),
        };
        match built {
            Ok(artifact) => Ok(self.build_finish(&build, BuildStatus::Succeeded { artifact }).await?),
            Err(error) => {
                let reason = chain(&error);
                self.log(build.app, "api", format!("Build failed: {reason}"));
                self.build_finish(&build, BuildStatus::Failed { reason }).await?;
                Err(error)
            }
        }
    }

    async fn build_artifact(
        &self,
        build: &Build,
        deploy: Deploy,
        progress: &Progress,
    ) -> Result<Artifact, ControllerError> {
        let app = self.app_record(build.app).await?.value;
        let config = self.release_base(app.id).await?.map(|release| release.config).unwrap_or_default();
        if self.builds.available_permits() == 0 {
            progress.heading("Waiting for another build to finish…").await;
        }
        let _slot =
            self.builds.acquire().await.map_err(|_| ControllerError::Conflict("the platform is stopping".into()))?;
        let repository = self.settings.repository(&app.name);
        let (tag, login) = (format!("{BUILD_TAG_PREFIX}{}", build.id), self.settings.registry_login.clone());
        match deploy {
            Deploy::Source { archive, source } => {
                let mut build_args: std::collections::BTreeMap<_, _> =
                    config.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone())).collect();
                if let Some(version) = source.version() {
                    build_args.insert("SOURCE_VERSION".to_owned(), ambo_model::Secret::new(version));
                }
                let limits = self.settings.build_limits.clone();
                let request = BuildRequest { archive, repository, tag, login, build_args, limits };
                Ok(self.builder.build(request, progress.channel()).await?)
            }
            Deploy::Image { reference, procfile } => {
                let import = ImageImport { reference, repository, tag, login };
                let mut artifact = self.builder.import(import, progress.channel()).await?;
                if let Some(procfile) = procfile {
                    artifact.processes = process_table_of_image(Some(&procfile));
                }
                Ok(artifact)
            }
        }
    }

    /// Rolls a build's release out, and writes down if it did not come up.
    async fn release_roll_out(
        &self,
        release: &Release,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(), DeployFault> {
        progress.heading(&format!("Releasing {}…", release.version)).await;
        let rollout = self.roll_out(release.app, release.version, &Restart::No, progress, cancel);
        let Err(error) = rollout.await else { return Ok(()) };
        self.release_fail(release.app, release.version, &chain(&error)).await?;
        Err(match error {
            crate::rollout::RolloutError::Cancelled if self.stopping.is_cancelled() => DeployFault::Stopping,
            crate::rollout::RolloutError::Cancelled => DeployFault::Cancelled,
            error => error.into(),
        })
    }

    async fn deploy_announce(
        &self,
        build: Build,
        release: &Release,
        progress: &Progress,
    ) -> Result<Deployed, ControllerError> {
        let app = self.app_record(release.app).await?.value;
        let url = self.settings.web_url(&app.name);
        progress.detail(&format!("Released {}", release.version)).await;
        let web = ambo_model::ProcessType::web();
        if app.formation.entry(&web).count > 0 {
            progress.detail(&format!("{url} deployed to Ambo")).await;
        } else {
            progress
                .detail(&format!("{} deployed to Ambo; nothing is routed: `ambo ps:scale web=1` starts web", app.name))
                .await;
        }
        Ok(Deployed { app, build, version: release.version, url })
    }

    /// Runs a step unless whoever waits has left, or the platform stops.
    async fn unless_cancelled<T>(
        &self,
        cancel: &CancellationToken,
        step: impl Future<Output = T>,
    ) -> Result<T, DeployFault> {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(DeployFault::Stopping),
            () = cancel.cancelled() => Err(DeployFault::Cancelled),
            result = step => Ok(result),
        }
    }
}

/// How far a deploy has come.
#[derive(Debug, Default)]
struct Reached {
    build: Option<BuildId>,
    release: Option<ReleaseVersion>,
}

fn source_of(deploy: &Deploy) -> BuildSource {
    match deploy {
        Deploy::Source { source, .. } => source.clone(),
        Deploy::Image { reference, .. } => BuildSource::Image { reference: reference.clone() },
    }
}
