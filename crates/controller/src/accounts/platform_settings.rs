//! Settings of the platform that an administrator changes while it runs.

use ambo_store::Transaction;
use serde::{Deserialize, Serialize};

use super::authorize::Caller;
use super::error::AccountError;
use super::{Accounts, layout};
use crate::records::{get, json, retry_conflicts};

/// Most releases whose images can be kept.
const RELEASES_KEPT_MAX: usize = 1000;

/// Who may register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    /// Everybody.
    Open,
    /// Only those with an invitation; others are told that registration is closed.
    #[default]
    Closed,
    /// Only those with an invitation; others are told to ask for one.
    Invitation,
}

/// The settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformSettings {
    /// Who may register.
    #[serde(default)]
    pub registration: RegistrationMode,
    /// How many of an app's newest releases keep their images; `None` leaves it to the server's own settings.
    #[serde(default)]
    pub releases_kept: Option<usize>,
}

/// A change; `None` keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlatformSettingsUpdate {
    /// Who may register.
    pub registration: Option<RegistrationMode>,
    /// How many of an app's newest releases keep their images.
    pub releases_kept: Option<usize>,
}

impl Accounts {
    /// The settings as they are.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn platform_settings(&self) -> Result<PlatformSettings, AccountError> {
        Ok(get(&*self.store, layout::PLATFORM).await?.map_or_else(|| self.settings_default(), |found| found.value))
    }

    /// Changes the settings.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is an administrator; `Limit`.
    pub async fn platform_settings_update(
        &self,
        caller: &Caller,
        update: &PlatformSettingsUpdate,
    ) -> Result<PlatformSettings, AccountError> {
        caller.require_administrator()?;
        if update.releases_kept.is_some_and(|count| !(1..=RELEASES_KEPT_MAX).contains(&count)) {
            return Err(AccountError::Limit(format!("`releases_kept` is a number from 1 to {RELEASES_KEPT_MAX}")));
        }
        retry_conflicts(async || {
            let found = get::<PlatformSettings>(&*self.store, layout::PLATFORM).await?;
            let (mut settings, transaction) = match found {
                Some(found) => (found.value, Transaction::new().unmodified(&found.entry)),
                None => (self.settings_default(), Transaction::new().absent(layout::PLATFORM)),
            };
            settings.registration = update.registration.unwrap_or(settings.registration);
            settings.releases_kept = update.releases_kept.or(settings.releases_kept);
            self.store.commit(transaction.put(layout::PLATFORM, json(&settings))).await?;
            Ok(settings)
        })
        .await
    }

    fn settings_default(&self) -> PlatformSettings {
        PlatformSettings { registration: self.registration_default, ..PlatformSettings::default() }
    }
}
