//! Releases: cut, list, look up, roll back. And config, since every change of it is a release.

use ambo_model::{AccountId, Release};
use ambo_model::{
    App, AppId, Artifact, BuildId, Config, ConfigChange, ReleaseCause, ReleaseId, ReleaseStatus, ReleaseVersion,
    Timestamp,
};
use ambo_release::{Change, cut};
use ambo_store::{Operation, Page, Transaction};
use serde::{Deserialize, Serialize};

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::jobs::Work;
use crate::keys;
use crate::records::{Found, get, json, newest, replace, retry_conflicts};
use crate::vault::Sealed;

/// How many releases are read at once when looking for the newest good one.
const BASE_LOOKBACK: usize = 20;

/// A release as it lies in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReleaseRecord {
    id: ReleaseId,
    version: ReleaseVersion,
    build: Option<BuildId>,
    artifact: Option<Artifact>,
    source_version: Option<String>,
    config: Sealed,
    cause: ReleaseCause,
    author: AccountId,
    summary: String,
    pub(crate) status: ReleaseStatus,
    created_at: Timestamp,
}

/// A release without its config: all that listings need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSummary {
    /// Its id.
    pub id: ReleaseId,
    /// Its number.
    pub version: ReleaseVersion,
    /// The build that it runs.
    pub build: Option<BuildId>,
    /// What that build gave.
    pub artifact: Option<Artifact>,
    /// Why it was made.
    pub cause: ReleaseCause,
    /// Who made it.
    pub author: AccountId,
    /// One line for people.
    pub summary: String,
    /// How far it is.
    pub status: ReleaseStatus,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ReleaseRecord {
    /// What the release runs.
    pub(crate) fn artifact(&self) -> Option<Artifact> {
        self.artifact.clone()
    }
}

impl From<ReleaseRecord> for ReleaseSummary {
    fn from(record: ReleaseRecord) -> Self {
        Self {
            id: record.id,
            version: record.version,
            build: record.build,
            artifact: record.artifact,
            cause: record.cause,
            author: record.author,
            summary: record.summary,
            status: record.status,
            created_at: record.created_at,
        }
    }
}

/// Which part of a listing of releases.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReleasePage {
    /// Beyond this version, in the listing's direction.
    pub after: Option<ReleaseVersion>,
    /// At most so many.
    pub limit: usize,
    /// Newest first.
    pub descending: bool,
}

impl Controller {
    /// The releases of an app, a page of them, and whether more follow.
    ///
    /// # Errors
    /// When the app is not the caller's to see.
    pub async fn release_list(
        &self,
        caller: &Caller,
        app: &str,
        page: ReleasePage,
    ) -> Result<(App, Vec<ReleaseSummary>, bool), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let after = page.after.map(|version| keys::release(app.id, version));
        let page = Page { after, limit: Some(page.limit), descending: page.descending };
        let listing = self.store.list(&keys::releases(app.id), page).await?;
        let releases = listing
            .entries
            .iter()
            .map(|entry| self.record_parse::<ReleaseRecord>(entry).map(ReleaseSummary::from))
            .collect::<Result<_, _>>()?;
        Ok((app, releases, listing.more))
    }

    pub(crate) fn record_parse<T: serde::de::DeserializeOwned>(
        &self,
        entry: &ambo_store::Entry,
    ) -> Result<T, ControllerError> {
        serde_json::from_slice(&entry.value).map_err(|source| {
            ControllerError::Record(crate::records::RecordError::Damaged { key: entry.key.clone(), source })
        })
    }

    /// One release, by id or version (`v7` or `7`).
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn release_find(
        &self,
        caller: &Caller,
        app: &str,
        release: &str,
    ) -> Result<(App, ReleaseSummary), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let version = self.release_version(app.id, release).await?;
        let record = self.release_record(app.id, version).await?;
        Ok((app, record.value.into()))
    }

    async fn release_version(&self, app: AppId, release: &str) -> Result<ReleaseVersion, ControllerError> {
        if let Ok(version) = release.parse() {
            return Ok(version);
        }
        let unknown = || release_unknown(release);
        let id: ReleaseId = release.parse().map_err(|_| unknown())?;
        Ok(get::<ReleaseVersion>(&*self.store, &keys::release_id(app, id)).await?.ok_or_else(unknown)?.value)
    }

    /// The config that the next change builds on.
    ///
    /// # Errors
    /// When the app is not the caller's, or the config cannot be decrypted.
    pub async fn config_find(&self, caller: &Caller, app: &str) -> Result<Config, ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        Ok(self.release_base(app.id).await?.map(|release| release.config).unwrap_or_default())
    }

    /// The config of one release.
    ///
    /// # Errors
    /// When the app is not the caller's, or the config cannot be decrypted.
    pub async fn release_config(&self, caller: &Caller, app: &str, release: &str) -> Result<Config, ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let version = self.release_version(app.id, release).await?;
        Ok(self.release_load(app.id, version).await?.config)
    }

    /// Sets and unsets config. Makes a release, which is rolled out in the background when there is a build.
    /// A change of nothing makes none.
    ///
    /// # Errors
    /// `Conflict` while somebody deploys; `Invalid` when the config would be too large.
    pub async fn config_update(
        &self,
        caller: &Caller,
        app: &str,
        change: &ConfigChange,
        now: Timestamp,
    ) -> Result<Config, ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let _turn = self.deploy_turn(app.id, &format!("a config change by {}", caller.email)).await?;
        let base = self.release_base(app.id).await?.map(|release| release.config).unwrap_or_default();
        let merged = base.merged(change);
        if merged == base {
            return Ok(base);
        }
        if merged.size_bytes() > ambo_model::config::CONFIG_BYTES_MAX {
            return Err(ControllerError::Invalid(format!(
                "the config would be {} bytes: at most {} are kept, so unset some vars first",
                merged.size_bytes(),
                ambo_model::config::CONFIG_BYTES_MAX
            )));
        }
        self.release_create(app.id, caller, &Change::Configured(change), now).await?;
        Ok(merged)
    }

    /// Makes a new release of an old one's build and config; without a version, of the one that served before.
    ///
    /// # Errors
    /// `NotFound` when there is no such release; `Invalid` when it has no build or has failed; `Conflict` while somebody
    /// deploys.
    pub async fn release_rollback(
        &self,
        caller: &Caller,
        app: &str,
        release: &str,
        now: Timestamp,
    ) -> Result<(App, ReleaseSummary), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let version = self.release_version(app.id, release).await?;
        let target = self.release_load(app.id, version).await?;
        if target.artifact.is_none() {
            return Err(ControllerError::Invalid(format!(
                "{version} has no build to roll back to: pick a later release"
            )));
        }
        if let ReleaseStatus::Failed { .. } = target.status {
            return Err(ControllerError::Invalid(format!(
                "{version} has failed and never served: pick one that succeeded"
            )));
        }
        let _turn = self.deploy_turn(app.id, &format!("a rollback by {}", caller.email)).await?;
        self.release_image_hold(&app, &target).await?;
        let release = self.release_create(app.id, caller, &Change::RolledBack(&target), now).await?;
        Ok((app, release_summary(&release)))
    }

    /// The turn to change an app's release, if nobody deploys for long.
    pub(crate) async fn deploy_turn(&self, app: AppId, who: &str) -> Result<crate::turns::TurnGuard, ControllerError> {
        self.deploys.take_within(app, who, self.settings.deploy_wait).await.map_err(|holder| {
            let holder = holder.map_or_else(String::new, |holder| {
                format!(": {} since {}", holder.who, holder.since.strftime("%H:%M:%S UTC"))
            });
            ControllerError::Conflict(format!(
                "another deploy of this app is in progress{holder}; try again when it is done"
            ))
        })
    }

    /// Cuts the next release and stores it; with it, in the same transaction, the job that rolls it out. A release for a
    /// build gets no job: whoever waits for the build rolls it out, and it fails when they leave.
    pub(crate) async fn release_create(
        &self,
        app: AppId,
        caller: &Caller,
        change: &Change<'_>,
        now: Timestamp,
    ) -> Result<Release, ControllerError> {
        let release = retry_conflicts(|| async {
            let mut found = self.app_record(app).await?;
            let base = self.release_base(app).await?;
            let release = cut(app, found.value.last_version.next(), base.as_ref(), change, caller.account, now);
            found.value.last_version = release.version;
            found.value.updated_at = now;
            let mut transaction = self.release_put(replace(Transaction::new(), &found), &release);
            if release.status == ReleaseStatus::Pending && release.cause != ReleaseCause::Build {
                transaction = self.job_put(transaction, app, Work::RollOut { version: release.version }, now);
            }
            self.store.commit(transaction).await?;
            Ok::<_, ControllerError>(release)
        })
        .await?;
        self.log(app, "api", format!("{} by user {}", release.summary, caller.email));
        self.log(app, "api", format!("Release {} created by user {}", release.version, caller.email));
        self.nudge.jobs();
        Ok(release)
    }

    /// Adds a new release to a transaction.
    pub(crate) fn release_put(&self, transaction: Transaction, release: &Release) -> Transaction {
        let record = ReleaseRecord {
            id: release.id,
            version: release.version,
            build: release.build,
            artifact: release.artifact.clone(),
            source_version: release.source_version.clone(),
            config: self.vault.seal(release.app, release.version, &release.config),
            cause: release.cause.clone(),
            author: release.author,
            summary: release.summary.clone(),
            status: release.status.clone(),
            created_at: release.created_at,
        };
        let key = keys::release(release.app, release.version);
        transaction
            .absent(key.clone())
            .put(key, json(&record))
            .put(keys::release_id(release.app, release.id), json(&release.version))
    }

    /// The newest release that has not failed.
    pub(crate) async fn release_base(&self, app: AppId) -> Result<Option<Release>, ControllerError> {
        let mut after = None;
        loop {
            let page = Page { after, limit: Some(BASE_LOOKBACK), descending: true };
            let listing = self.store.list(&keys::releases(app), page).await?;
            for entry in &listing.entries {
                let record: ReleaseRecord = self.record_parse(entry)?;
                if !matches!(record.status, ReleaseStatus::Failed { .. }) {
                    return Ok(Some(self.release_open(app, record)?));
                }
            }
            match listing.entries.last() {
                Some(last) if listing.more => after = Some(last.key.clone()),
                _ => return Ok(None),
            }
        }
    }

    /// A release with its config.
    pub(crate) async fn release_load(&self, app: AppId, version: ReleaseVersion) -> Result<Release, ControllerError> {
        let record = self.release_record(app, version).await?;
        self.release_open(app, record.value)
    }

    pub(crate) async fn release_record(
        &self,
        app: AppId,
        version: ReleaseVersion,
    ) -> Result<Found<ReleaseRecord>, ControllerError> {
        get(&*self.store, &keys::release(app, version)).await?.ok_or_else(|| release_unknown(&version.to_string()))
    }

    fn release_open(&self, app: AppId, record: ReleaseRecord) -> Result<Release, ControllerError> {
        Ok(Release {
            id: record.id,
            app,
            version: record.version,
            config: self.vault.open(app, record.version, &record.config)?,
            build: record.build,
            artifact: record.artifact,
            source_version: record.source_version,
            cause: record.cause,
            author: record.author,
            summary: record.summary,
            status: record.status,
            created_at: record.created_at,
        })
    }

    /// Marks a release as failed, if nothing else has been said of it.
    pub(crate) async fn release_fail(
        &self,
        app: AppId,
        version: ReleaseVersion,
        reason: &str,
    ) -> Result<(), ControllerError> {
        retry_conflicts(|| async {
            let mut found = self.release_record(app, version).await?;
            if found.value.status != ReleaseStatus::Pending {
                return Ok(());
            }
            found.value.status = ReleaseStatus::Failed { reason: reason.to_owned() };
            self.store.commit(replace(Transaction::new(), &found)).await?;
            self.log(app, "api", format!("Release {version} failed: {reason}"));
            Ok::<_, ControllerError>(())
        })
        .await
    }

    /// Fails every release of a build that was being rolled out when the control plane stopped: whoever waited for it has
    /// been told nothing, so it must not serve later by itself.
    pub(crate) async fn releases_recover(&self) -> Result<(), ControllerError> {
        self.apps_each(|app| self.app_releases_recover(app)).await
    }

    async fn app_releases_recover(&self, app: AppId) -> Result<(), ControllerError> {
        let recent: Vec<Found<ReleaseRecord>> = newest(&*self.store, &keys::releases(app), BASE_LOOKBACK).await?;
        for release in recent {
            if release.value.status == ReleaseStatus::Pending && release.value.cause == ReleaseCause::Build {
                let reason = "interrupted: the platform stopped during the rollout; push again";
                self.release_fail(app, release.value.version, reason).await?;
            }
        }
        Ok(())
    }

    /// Removes all releases of a destroyed app.
    pub(crate) async fn releases_remove(&self, app: AppId) -> Result<(), ControllerError> {
        self.prefix_remove(&keys::releases(app)).await?;
        self.prefix_remove(&keys::release_ids(app)).await
    }

    pub(crate) async fn prefix_remove(&self, prefix: &str) -> Result<(), ControllerError> {
        loop {
            let page =
                Page { after: None, limit: Some(ambo_store::port::TRANSACTION_OPERATIONS_MAX), descending: false };
            let listing = self.store.list(prefix, page).await?;
            if listing.entries.is_empty() {
                return Ok(());
            }
            let operations = listing.entries.into_iter().map(|entry| Operation::Delete { key: entry.key }).collect();
            self.store.commit(Transaction { operations, ..Transaction::default() }).await?;
        }
    }
}

pub(crate) fn release_summary(release: &Release) -> ReleaseSummary {
    ReleaseSummary {
        id: release.id,
        version: release.version,
        build: release.build,
        artifact: release.artifact.clone(),
        cause: release.cause.clone(),
        author: release.author,
        summary: release.summary.clone(),
        status: release.status.clone(),
        created_at: release.created_at,
    }
}

fn release_unknown(release: &str) -> ControllerError {
    ControllerError::NotFound(format!("Couldn't find that release: `{release}`; see `ambo releases`"))
}
