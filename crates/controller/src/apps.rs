//! Apps: create, find, list, rename, transfer, maintenance, destroy.

use ambo_model::{AccountId, App, AppId, AppName, Email, Formation, Hostname, LogSource, ReleaseVersion, Timestamp};
use ambo_release::{Change, cut};
use ambo_store::Transaction;

use crate::accounts::{Caller, Permission, authorize};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::jobs::Work;
use crate::records::{Found, get, json, list, replace, retry_conflicts};
use crate::{app_names, keys};

/// What a user may change of an app.
#[derive(Debug, Clone, Default)]
pub struct AppUpdate {
    /// A new name.
    pub name: Option<AppName>,
    /// Maintenance mode.
    pub maintenance: Option<bool>,
    /// Buildpacks to keep for clients of Heroku's, by URL.
    pub buildpacks: Option<Vec<String>>,
}

impl Controller {
    /// Creates an app with its first release. Without a name one is made up.
    ///
    /// # Errors
    /// `Invalid` when the name is taken.
    pub async fn app_create(
        &self,
        caller: &Caller,
        name: Option<AppName>,
        now: Timestamp,
    ) -> Result<App, ControllerError> {
        if let Some(name) = name {
            return self.app_create_named(caller, name, now).await;
        }
        loop {
            match self.app_create_named(caller, app_names::generate(), now).await {
                Err(ControllerError::Invalid(_)) => {}
                result => return result,
            }
        }
    }

    async fn app_create_named(&self, caller: &Caller, name: AppName, now: Timestamp) -> Result<App, ControllerError> {
        let host = self.app_host(&name)?;
        let id = AppId::new();
        let first = cut(id, ReleaseVersion(1), None, &Change::Created, caller.account, now);
        let app = App {
            id,
            name: name.clone(),
            owner: caller.account,
            collaborators: Vec::new(),
            formation: Formation::default(),
            serving: None,
            last_version: first.version,
            maintenance: false,
            scaled: false,
            buildpacks: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        let transaction = Transaction::new()
            .absent(keys::app_name(&name))
            .absent(keys::domain(&host))
            .put(keys::app_name(&name), json(&id))
            .put(keys::app(id), json(&app));
        let created = self.store.commit(self.release_put(transaction, &first)).await;
        match created {
            Ok(_) => {}
            Err(ambo_store::StoreError::Conflict { .. }) => return Err(name_taken(&name)),
            Err(error) => return Err(error.into()),
        }
        self.log(id, "api", format!("Release v1 created by user {}", caller.email));
        self.log(id, "api", "Initial release".to_owned());
        self.routes_follow().await;
        Ok(app)
    }

    /// An app by name or id, if the caller may do this to it.
    ///
    /// # Errors
    /// `NotFound` when there is none that the caller may know of; `Forbidden` when the caller may see it, but not do this.
    pub async fn app_find(&self, caller: &Caller, app: &str, permission: Permission) -> Result<App, ControllerError> {
        Ok(self.app_find_record(caller, app, permission).await?.value)
    }

    pub(crate) async fn app_find_record(
        &self,
        caller: &Caller,
        app: &str,
        permission: Permission,
    ) -> Result<Found<App>, ControllerError> {
        let unknown = || app_unknown(app);
        let id = match app.parse::<AppId>() {
            Ok(id) => id,
            Err(_) => {
                let name = AppName::parse(app).map_err(|_| unknown())?;
                get::<AppId>(&*self.store, &keys::app_name(&name)).await?.ok_or_else(unknown)?.value
            }
        };
        let found = get::<App>(&*self.store, &keys::app(id)).await?.ok_or_else(unknown)?;
        // Told in the words of the request: a stranger who knows an id does not learn the name.
        authorize(caller, &found.value, permission).map_err(|error| match error {
            ControllerError::NotFound(_) => unknown(),
            error => error,
        })?;
        Ok(found)
    }

    /// The app that has a name, for the platform itself.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn app_id(&self, name: &AppName) -> Result<Option<AppId>, ControllerError> {
        Ok(get::<AppId>(&*self.store, &keys::app_name(name)).await?.map(|found| found.value))
    }

    pub(crate) async fn app_record(&self, id: AppId) -> Result<Found<App>, ControllerError> {
        get(&*self.store, &keys::app(id)).await?.ok_or_else(|| app_unknown(&id.to_string()))
    }

    /// The apps that the caller may see, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn app_list(&self, caller: &Caller) -> Result<Vec<App>, ControllerError> {
        let mut apps: Vec<App> = list::<App>(&*self.store, keys::APPS)
            .await?
            .into_iter()
            .map(|found| found.value)
            .filter(|app| authorize(caller, app, Permission::Read).is_ok())
            .collect();
        apps.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(apps)
    }

    /// Renames an app or switches its maintenance mode.
    ///
    /// A rename restarts the app, so that `AMBO_APP` and the labels of its instances are true again.
    ///
    /// # Errors
    /// `Invalid` when the name is taken.
    pub async fn app_update(
        &self,
        caller: &Caller,
        app: &str,
        update: AppUpdate,
        now: Timestamp,
    ) -> Result<App, ControllerError> {
        let permission = if update.name.is_some() { Permission::Manage } else { Permission::Deploy };
        let updated = retry_conflicts(|| async {
            let mut found = self.app_find_record(caller, app, permission).await?;
            let before = found.value.clone();
            found.value.updated_at = now;
            found.value.maintenance = update.maintenance.unwrap_or(before.maintenance);
            if let Some(buildpacks) = &update.buildpacks {
                found.value.buildpacks.clone_from(buildpacks);
            }
            let mut transaction = Transaction::new();
            if let Some(name) = update.name.as_ref().filter(|name| **name != before.name) {
                self.app_name_free(name).await?;
                found.value.name = name.clone();
                transaction = transaction
                    .absent(keys::app_name(name))
                    .put(keys::app_name(name), json(&before.id))
                    .delete(keys::app_name(&before.name));
                if before.serving.is_some() {
                    transaction = self.job_put(transaction, before.id, Work::Restart { process: None }, now);
                }
            }
            self.store.commit(replace(transaction, &found)).await?;
            Ok::<_, ControllerError>((before, found.value))
        })
        .await?;
        let (before, after) = updated;
        self.app_update_log(caller, &before, &after);
        self.nudge.jobs();
        self.routes_follow().await;
        Ok(after)
    }

    fn app_update_log(&self, caller: &Caller, before: &App, after: &App) {
        if before.name != after.name {
            self.log(after.id, "api", format!("Rename {} to {} by user {}", before.name, after.name, caller.email));
        }
        if before.maintenance != after.maintenance {
            let state = if after.maintenance { "on" } else { "off" };
            self.log(after.id, "api", format!("Maintenance mode {state} by user {}", caller.email));
        }
    }

    async fn app_name_free(&self, name: &AppName) -> Result<(), ControllerError> {
        match get::<AppId>(&*self.store, &keys::app_name(name)).await? {
            Some(_) => Err(name_taken(name)),
            None => Ok(()),
        }
    }

    /// Gives an app to another account; the former owner stays as a collaborator.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub async fn app_transfer(
        &self,
        caller: &Caller,
        app: &str,
        recipient: &Email,
        now: Timestamp,
    ) -> Result<App, ControllerError> {
        let to = self.account_id(recipient).await?;
        let app = retry_conflicts(|| async {
            let mut found = self.app_find_record(caller, app, Permission::Manage).await?;
            let former = std::mem::replace(&mut found.value.owner, to);
            found.value.collaborators.retain(|account| *account != to);
            if former != to && !found.value.collaborators.contains(&former) {
                found.value.collaborators.push(former);
            }
            found.value.updated_at = now;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>(found.value)
        })
        .await?;
        self.log(app.id, "api", format!("Transfer to {recipient} by user {}", caller.email));
        Ok(app)
    }

    /// Destroys an app: its name is free at once; instances, images, repository and logs go in the background.
    ///
    /// # Errors
    /// When the caller may not.
    pub async fn app_destroy(&self, caller: &Caller, app: &str, now: Timestamp) -> Result<App, ControllerError> {
        let app = retry_conflicts(|| async {
            let found = self.app_find_record(caller, app, Permission::Manage).await?;
            let transaction = Transaction::new()
                .unmodified(&found.entry)
                .delete(found.entry.key.clone())
                .delete(keys::app_name(&found.value.name));
            let transaction = self.job_put(transaction, found.value.id, Work::AppDestroy, now);
            self.store.commit(transaction).await?;
            Ok::<_, ControllerError>(found.value)
        })
        .await?;
        tracing::info!(app = %app.name, by = %caller.email, "app destroyed");
        self.routes_follow().await;
        self.nudge.jobs();
        Ok(app)
    }

    /// The platform's own host for an app.
    pub(crate) fn app_host(&self, name: &AppName) -> Result<Hostname, ControllerError> {
        Hostname::parse(&format!("{name}.{}", self.settings.domain))
            .map_err(|error| ControllerError::Invalid(error.to_string()))
    }

    /// Says something in an app's log, as the platform.
    pub(crate) fn log(&self, app: AppId, name: &str, text: String) {
        self.logs.append(ambo_model::LogLine {
            app,
            at: Timestamp::now(),
            source: LogSource::Ambo,
            name: name.to_owned(),
            text,
        });
    }

    /// An account that must exist.
    pub(crate) async fn account_id(&self, email: &Email) -> Result<AccountId, ControllerError> {
        let account = self.accounts.account_by_email(email).await?;
        account.map(|account| account.id).ok_or_else(|| {
            ControllerError::NotFound(format!("there is no account `{email}`: ask them to register first"))
        })
    }
}

fn name_taken(name: &AppName) -> ControllerError {
    ControllerError::Invalid(format!("Name {name} is already taken: choose another one"))
}

fn app_unknown(app: &str) -> ControllerError {
    let app: String = app.chars().filter(|c| !c.is_control()).take(80).collect();
    ControllerError::NotFound(format!("Couldn't find that app: there is no `{app}` that you have access to"))
}
