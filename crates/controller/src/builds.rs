//! Builds: the records of them. What a build does is [`crate::push`]'s to say.

use ambo_model::{App, AppId, Build, BuildId, BuildSource, BuildStatus, Timestamp};
use ambo_store::{Page, Transaction};

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::keys;
use crate::records::{get, json, list, newest, replace, retry_conflicts};

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
        let apps = list::<App>(&*self.store, keys::APPS).await?;
        for app in apps {
            let page = Page { after: None, limit: Some(50), descending: true };
            let recent = self.store.list(&keys::builds(app.value.id), page).await?;
            for entry in recent.entries {
                let Ok(build) = serde_json::from_slice::<Build>(&entry.value) else { continue };
                if build.status == BuildStatus::Pending {
                    let reason = "interrupted: the platform stopped during the build; push again".to_owned();
                    self.build_finish(&build, BuildStatus::Failed { reason }).await?;
                }
            }
        }
        Ok(())
    }
}
