//! Builds: the records of them. What a build does is [`crate::push`]'s to say.

use std::collections::BTreeMap;

use ambo_builder::{BuildRequest, ImageImport, process_table_of_image};
use ambo_model::{
    App, AppId, Artifact, Build, BuildId, BuildSource, BuildStatus, Command, Process, ProcessType, Timestamp,
};
use ambo_store::{Page, Transaction};

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::keys;
use crate::progress::Progress;
use crate::push::{ArchiveFile, BUILD_TAG_PREFIX, Deploy};
use crate::records::{get, json, newest, replace, retry_conflicts};

impl Controller {
    /// The newest builds of an app, newest first.
    ///
    /// # Errors
    /// When the app is not the caller's to see.
    pub async fn build_list(
        &self,
        caller: &Caller,
        app: &str,
        limit: usize,
    ) -> Result<(App, Vec<Build>), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let builds = newest::<Build>(&*self.store, &keys::builds(app.id), limit).await?;
        Ok((app, builds.into_iter().map(|found| found.value).collect()))
    }

    /// One build.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn build_find(&self, caller: &Caller, app: &str, build: &str) -> Result<(App, Build), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let unknown = || ControllerError::NotFound(format!("Couldn't find that build: `{build}`; see `ambo builds`"));
        let id: BuildId = build.parse().map_err(|_| unknown())?;
        let found = get::<Build>(&*self.store, &keys::build(app.id, id)).await?.ok_or_else(unknown)?;
        Ok((app, found.value))
    }

    pub(crate) async fn build_create(
        &self,
        app: AppId,
        caller: &Caller,
        source: BuildSource,
        now: Timestamp,
    ) -> Result<Build, ControllerError> {
        let build = Build {
            id: BuildId::new(),
            app,
            by: caller.account,
            source,
            status: BuildStatus::Pending,
            created_at: now,
            finished_at: None,
        };
        let key = keys::build(app, build.id);
        let app_exists = Transaction::new().present(keys::app(app));
        self.store.commit(app_exists.absent(key.clone()).put(key, json(&build))).await?;
        Ok(build)
    }

    /// Does a build. Dropping the future cancels it.
    pub(crate) async fn build_artifact(
        &self,
        build: &Build,
        deploy: Deploy,
        progress: &Progress,
    ) -> Result<Artifact, ControllerError> {
        let app = self.app_record(build.app).await?.value;
        let base = self.release_base(app.id).await?;
        let (deploy, _fetched) = fetched(deploy, progress).await?;
        if self.builds.available_permits() == 0 {
            progress.heading("Waiting for another build to finish…").await;
        }
        let _slot =
            self.builds.acquire().await.map_err(|_| ControllerError::Conflict("the platform is stopping".into()))?;
        let repository = self.settings.repository(&app.name);
        let (tag, login) = (format!("{BUILD_TAG_PREFIX}{}", build.id), self.settings.registry_login.clone());
        match deploy {
            Deploy::Source { archive, source } => {
                let config = base.map(|release| release.config).unwrap_or_default();
                let mut build_args: BTreeMap<_, _> =
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
            Deploy::Images(images) => {
                let mut taken = BTreeMap::new();
                for (process, reference) in images {
                    let Some(reference) = reference else {
                        taken.insert(process, None);
                        continue;
                    };
                    let (repository, tag, login) = (repository.clone(), format!("{tag}-{process}"), login.clone());
                    let import = ImageImport { reference, repository, tag, login };
                    taken.insert(process, Some(self.builder.import(import, progress.channel()).await?));
                }
                combined(taken, base.and_then(|base| base.artifact))
            }
            Deploy::Fetched { .. } => Err(ControllerError::Invalid("the source was not fetched".to_owned())),
        }
    }

    /// Writes down how a build ended.
    pub(crate) async fn build_finish(&self, build: &Build, status: BuildStatus) -> Result<Build, ControllerError> {
        let key = keys::build(build.app, build.id);
        retry_conflicts(|| async {
            let gone = || ControllerError::NotFound("the app was destroyed during the build".to_owned());
            let mut found = get::<Build>(&*self.store, &key).await?.ok_or_else(gone)?;
            found.value.status = status.clone();
            found.value.finished_at = Some(Timestamp::now());
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>(found.value)
        })
        .await
    }

    /// Fails every build that was running when the control plane stopped: its client has gone.
    pub(crate) async fn builds_recover(&self) -> Result<(), ControllerError> {
        self.apps_each(|app| self.app_builds_recover(app)).await?;
        self.app_setups_recover().await
    }

    async fn app_builds_recover(&self, app: AppId) -> Result<(), ControllerError> {
        let page = Page { after: None, limit: Some(50), descending: true };
        let recent = self.store.list(&keys::builds(app), page).await?;
        for entry in recent.entries {
            let Ok(build) = serde_json::from_slice::<Build>(&entry.value) else { continue };
            if build.status == BuildStatus::Pending {
                let reason = "interrupted: the platform stopped during the build; push again".to_owned();
                self.build_finish(&build, BuildStatus::Failed { reason }).await?;
            }
        }
        Ok(())
    }
}

/// Waits for source that is on its way. The file goes with what is given back beside it.
pub(crate) async fn fetched(
    deploy: Deploy,
    progress: &Progress,
) -> Result<(Deploy, Option<ArchiveFile>), ControllerError> {
    let Deploy::Fetched { archive, source } = deploy else { return Ok((deploy, None)) };
    progress.heading("Fetching the source").await;
    let file = archive.0.await?;
    let archive = (*file).as_ref().to_path_buf();
    Ok((Deploy::Source { archive, source }, Some(file)))
}

/// One artifact of several images: each runs its own command as the process it was pushed for. Processes that nothing is
/// said of stay as they are; those with no image go.
fn combined(
    taken: BTreeMap<ProcessType, Option<Artifact>>,
    base: Option<Artifact>,
) -> Result<Artifact, ControllerError> {
    let mut processes: BTreeMap<ProcessType, Process> = BTreeMap::new();
    if let Some(base) = &base {
        for (process, entry) in base.processes.iter() {
            let image = Some(base.image_of(process).clone());
            processes.insert(process.clone(), Process { command: entry.command.clone(), image });
        }
    }
    // The port is the routed process': that of its image, new or old.
    let mut port = base.and_then(|base| base.exposed_port);
    for (process, artifact) in taken {
        let Some(artifact) = artifact else {
            processes.remove(&process);
            continue;
        };
        if process.is_web() {
            port = artifact.exposed_port;
        }
        processes.insert(process, Process { command: Command::Image, image: Some(artifact.image) });
    }
    let main = processes.get(&ProcessType::web()).or_else(|| processes.values().next());
    let image = main.and_then(|process| process.image.clone()).ok_or_else(|| {
        ControllerError::Invalid("no process would be left: destroy the app, or scale it to 0".to_owned())
    })?;
    Ok(Artifact { image, processes: processes.into_iter().collect(), exposed_port: port, kind: "image".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::{ImageDigest, ProcessTable};

    fn artifact(letter: &str, port: Option<u16>) -> Artifact {
        let image = ImageDigest::parse(&format!("sha256:{}", letter.repeat(64))).unwrap();
        Artifact { image, processes: ProcessTable::image_as_web(), exposed_port: port, kind: String::new() }
    }

    #[test]
    fn each_process_runs_the_image_that_was_pushed_for_it_and_the_others_stay() {
        let (web, worker) = (ProcessType::web(), ProcessType::parse("worker").unwrap());
        let first = combined([(web.clone(), Some(artifact("a", Some(80))))].into(), None).unwrap();
        let second = combined([(worker.clone(), Some(artifact("b", Some(90))))].into(), Some(first.clone())).unwrap();
        assert_eq!(second.image_of(&web), &first.image);
        assert_eq!(second.image_of(&worker), &artifact("b", None).image);
        assert_eq!(second.exposed_port, Some(80));
        assert_eq!(second.images().count(), 3);
        let third = combined([(worker.clone(), None)].into(), Some(second)).unwrap();
        assert_eq!((third.processes.get(&worker), third.images().count()), (None, 2));
        assert!(combined([(web, None)].into(), Some(third)).is_err());
    }
}
