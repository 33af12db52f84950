//! A push from end to end: receive, build, cut, roll out, route.
//!
//! Each step is durable before the next begins. A control plane that dies between two of them leaves a build or a release
//! marked pending; on its next start both are failed (`builds_recover`, `releases_recover`), since whoever waited for them has
//! been told nothing. What serves is untouched until the single transaction that switches to the new release.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambo_model::{
    App, AppId, Build, BuildId, BuildSource, BuildStatus, ImageReference, ProcessType, Procfile, Release,
    ReleaseVersion, Timestamp,
};
use ambo_release::{Change, Restart};
use futures::future::BoxFuture;
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
    /// Source that is still on its way.
    Fetched {
        /// Gives the tar file.
        archive: ArchiveFetch,
        /// Where it comes from.
        source: BuildSource,
    },
    /// An image that exists already.
    Image {
        /// Which.
        reference: ImageReference,
        /// Its processes; the image's own command is `web` without.
        procfile: Option<Procfile>,
    },
    /// Images that were pushed into the app's own repositories, one for each process named. A process without one goes.
    Images(BTreeMap<ProcessType, Option<ImageReference>>),
}

/// A tar file, removed with its last holder.
pub type ArchiveFile = Box<dyn AsRef<Path> + Send + Sync>;

/// Fetches a tar file; dropping it ends that.
pub struct ArchiveFetch(pub BoxFuture<'static, Result<ArchiveFile, ControllerError>>);

impl std::fmt::Debug for ArchiveFetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArchiveFetch(…)")
    }
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
        let wanted = Wanted { app, caller: caller.clone(), deploy, begun: None };
        let controller = Arc::clone(self);
        let task = async move { controller.deploy_task(wanted, &progress, &cancel).await };
        match self.tasks.spawn(task).await {
            Ok(result) => result,
            Err(_) => Err(DeployError { build: None, release: None, fault: DeployFault::Stopping }),
        }
    }

    /// Writes a build down and does the deploy in the background: nobody need wait for it. `follow` runs beside it, to
    /// carry its lines off, and ends when they do. Ask for the build to learn how it goes; a stop of the platform fails it.
    ///
    /// # Errors
    /// When the app is gone, or the store fails.
    pub async fn deploy_in_background(
        self: &Arc<Self>,
        app: AppId,
        caller: &Caller,
        deploy: Deploy,
        started: impl FnOnce(&Build) -> (Progress, BoxFuture<'static, ()>),
    ) -> Result<Build, ControllerError> {
        let build = self.build_create(app, caller, source_of(&deploy), Timestamp::now()).await?;
        let (progress, follow) = started(&build);
        let wanted = Wanted { app, caller: caller.clone(), deploy, begun: Some(build.clone()) };
        let controller = Arc::clone(self);
        self.tasks.spawn(async move {
            let never = CancellationToken::new();
            let deploying = async move {
                let ended = controller.deploy_task(wanted, &progress, &never).await;
                if let Err(error) = &ended {
                    progress.failure(error).await;
                }
            };
            tokio::join!(deploying, follow);
        });
        Ok(build)
    }

    /// Does the deploy of a build that is written down already.
    pub(crate) async fn deploy_begun(
        &self,
        app: AppId,
        caller: &Caller,
        deploy: Deploy,
        build: Build,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Deployed, DeployError> {
        let wanted = Wanted { app, caller: caller.clone(), deploy, begun: Some(build) };
        self.deploy_task(wanted, progress, cancel).await
    }

    async fn deploy_task(
        &self,
        wanted: Wanted,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Deployed, DeployError> {
        let mut reached = Reached { build: wanted.begun.as_ref().map(|build| build.id), release: None };
        let ended = self.deploy_steps(wanted, progress, cancel, &mut reached).await;
        ended.map_err(|fault| DeployError { build: reached.build, release: reached.release, fault })
    }

    async fn deploy_steps(
        &self,
        wanted: Wanted,
        progress: &Progress,
        cancel: &CancellationToken,
        reached: &mut Reached,
    ) -> Result<Deployed, DeployFault> {
        let Wanted { app, caller, deploy, begun } = wanted;
        let turn = self.unless_cancelled(cancel, self.deploy_wait(app, &caller, progress)).await;
        let _turn = match (turn.and_then(|turn| turn.map_err(DeployFault::from)), &begun) {
            (Err(fault), Some(build)) => {
                self.build_finish(build, BuildStatus::Failed { reason: chain(&fault) }).await?;
                return Err(fault);
            }
            (turn, _) => turn?,
        };
        let build = match begun {
            Some(build) => build,
            None => self.build_create(app, &caller, source_of(&deploy), Timestamp::now()).await?,
        };
        reached.build = Some(build.id);
        let build = self.build_run(build, deploy, progress, cancel).await?;
        let release = self.release_create(app, &caller, &Change::Built(&build), Timestamp::now()).await?;
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

/// A deploy, as it is asked for.
#[derive(Debug)]
struct Wanted {
    app: AppId,
    caller: Caller,
    deploy: Deploy,
    /// The build, when it is written down already.
    begun: Option<Build>,
}

/// How far a deploy has come.
#[derive(Debug)]
struct Reached {
    build: Option<BuildId>,
    release: Option<ReleaseVersion>,
}

pub(crate) fn source_of(deploy: &Deploy) -> BuildSource {
    match deploy {
        Deploy::Source { source, .. } | Deploy::Fetched { source, .. } => source.clone(),
        Deploy::Image { reference, .. } => BuildSource::Image { reference: reference.clone() },
        // What clients are shown is one of them; the release has them all.
        Deploy::Images(images) => match images.values().flatten().next() {
            Some(reference) => BuildSource::Image { reference: reference.clone() },
            None => BuildSource::Archive { version: None },
        },
    }
}
