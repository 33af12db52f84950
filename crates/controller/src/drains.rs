//! Drains: where the logs of apps go beside our own store. What sends them is [`crate::reconcilers`]' to run.
//!
//! A drain's URL may hold credentials: it lies sealed, and only those who may manage the app are shown all of it.

use ambo_logs::drain::{AddressGuard, DrainUrl};
use ambo_model::{App, AppId, Drain, DrainId, DrainToken, Secret, Timestamp};
use ambo_store::Transaction;
use serde::{Deserialize, Serialize};

use crate::accounts::{Caller, Permission, authorize};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::keys;
use crate::records::{json, list};
use crate::vault::Sealed;

/// Most drains of one app.
pub const DRAINS_MAX: usize = 10;

/// A drain as it lies in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DrainRecord {
    #[serde(flatten)]
    pub(crate) drain: Drain,
    url: Sealed,
    /// The newest line of the log when it was added.
    pub(crate) from: u64,
}

/// A drain as its caller is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainView {
    /// The drain.
    pub drain: Drain,
    /// Where to: all of it, or for those who may not manage the app no more than scheme, host and port.
    pub url: String,
}

impl Controller {
    /// The drains of an app, oldest first.
    ///
    /// # Errors
    /// When the app is not the caller's to see.
    pub async fn drain_list(&self, caller: &Caller, app: &str) -> Result<(App, Vec<DrainView>), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let mut views = Vec::new();
        for record in self.drains_of(app.id).await? {
            views.push(self.drain_view(caller, &app, &record)?);
        }
        Ok((app, views))
    }

    /// One drain, by id, token or URL.
    ///
    /// # Errors
    /// `NotFound` when the app has none such.
    pub async fn drain_find(
        &self,
        caller: &Caller,
        app: &str,
        drain: &str,
    ) -> Result<(App, DrainView), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let record = self.drain_pick(app.id, drain).await?;
        let view = self.drain_view(caller, &app, &record)?;
        Ok((app, view))
    }

    /// Sends an app's log to one more place, from now on.
    ///
    /// # Errors
    /// `Invalid` when the URL is no drain's, or logs are not sent there.
    pub async fn drain_create(
        &self,
        caller: &Caller,
        app: &str,
        url: &str,
        now: Timestamp,
    ) -> Result<(App, DrainView), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let parsed = DrainUrl::parse(url, self.settings.drain_guard)
            .map_err(|error| ControllerError::Invalid(format!("`url`: {error}")))?;
        let others = self.drains_of(app.id).await?;
        if others.len() >= DRAINS_MAX {
            let text = format!("an app has at most {DRAINS_MAX} drains: remove one with `ambo drains:remove` first");
            return Err(ControllerError::Invalid(text));
        }
        for other in &others {
            if self.drain_url_text(other)?.reveal() == parsed.reveal() {
                return Err(ControllerError::Invalid(format!("`url`: the log of {} goes there already", app.name)));
            }
        }
        let drain = Drain { id: DrainId::new(), app: app.id, token: DrainToken::new(), created_at: now };
        let url = self.vault.seal_text(&context(drain.id), &Secret::new(parsed.reveal()));
        let record = DrainRecord { from: self.logs.newest(app.id), drain, url };
        let transaction = Transaction::new().present(keys::app(app.id));
        self.store.commit(transaction.put(keys::drain(app.id, record.drain.id), json(&record))).await?;
        self.log(app.id, "api", format!("Add drain '{}' to {parsed} by user {}", record.drain.token, caller.email));
        self.nudge.drains();
        // Whoever adds it has just typed it.
        Ok((app, DrainView { drain: record.drain, url: parsed.reveal().to_owned() }))
    }

    /// Sends an app's log there no longer.
    ///
    /// # Errors
    /// `NotFound` when the app has no such drain.
    pub async fn drain_remove(
        &self,
        caller: &Caller,
        app: &str,
        drain: &str,
    ) -> Result<(App, DrainView), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let record = self.drain_pick(app.id, drain).await?;
        let view = self.drain_view(caller, &app, &record)?;
        self.store.commit(Transaction::new().delete(keys::drain(app.id, record.drain.id))).await?;
        self.log(app.id, "api", format!("Remove drain '{}' by user {}", record.drain.token, caller.email));
        self.nudge.drains();
        Ok((app, view))
    }

    /// Removes the drains of a destroyed app.
    pub(crate) async fn drains_remove(&self, app: AppId) -> Result<(), ControllerError> {
        self.prefix_remove(&keys::drains(app)).await?;
        self.nudge.drains();
        Ok(())
    }

    pub(crate) async fn drains_all(&self) -> Result<Vec<DrainRecord>, ControllerError> {
        Ok(list::<DrainRecord>(&*self.store, keys::DRAINS).await?.into_iter().map(|found| found.value).collect())
    }

    async fn drains_of(&self, app: AppId) -> Result<Vec<DrainRecord>, ControllerError> {
        let found = list::<DrainRecord>(&*self.store, &keys::drains(app)).await?;
        Ok(found.into_iter().map(|found| found.value).collect())
    }

    /// Where a drain leads. One that was allowed once and is refused by now leads nowhere.
    pub(crate) fn drain_url(&self, record: &DrainRecord) -> Result<DrainUrl, ControllerError> {
        let refused = |error: ambo_logs::drain::DrainUrlError| ControllerError::Invalid(error.to_string());
        DrainUrl::parse(self.drain_url_text(record)?.reveal(), self.settings.drain_guard).map_err(refused)
    }

    fn drain_url_text(&self, record: &DrainRecord) -> Result<Secret, ControllerError> {
        Ok(self.vault.open_text(&context(record.drain.id), &record.url)?)
    }

    async fn drain_pick(&self, app: AppId, wanted: &str) -> Result<DrainRecord, ControllerError> {
        let url = DrainUrl::parse(wanted, ANYWHERE).ok();
        for record in self.drains_of(app).await? {
            let text = self.drain_url_text(&record)?;
            if record.drain.id.to_string() == wanted
                || record.drain.token.as_str() == wanted
                || url.as_ref().is_some_and(|url| url.reveal() == text.reveal())
            {
                return Ok(record);
            }
        }
        // What was asked for may be a URL with credentials: it is not repeated.
        let text = "Couldn't find that drain: name it by its URL or its token; see `ambo drains`";
        Err(ControllerError::NotFound(text.to_owned()))
    }

    fn drain_view(&self, caller: &Caller, app: &App, record: &DrainRecord) -> Result<DrainView, ControllerError> {
        let text = self.drain_url_text(record)?;
        let url = match authorize(caller, app, Permission::Manage) {
            Ok(()) => text.reveal().to_owned(),
            Err(_) => DrainUrl::parse(text.reveal(), ANYWHERE).map_or_else(|_| String::new(), |url| url.to_string()),
        };
        Ok(DrainView { drain: record.drain.clone(), url })
    }
}

/// For URLs that are only compared or shown.
const ANYWHERE: AddressGuard = |_| None;

fn context(drain: DrainId) -> String {
    format!("drain/{drain}")
}
