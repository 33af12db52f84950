//! When the platform's own backups are due.

use std::time::Duration;

use ambo_backup::{ArchiveListed, ArchiveName, Archives, ArchivesError, Retention, Schedule};
use ambo_model::Timestamp;
use anyhow::Context;

use super::place;
use crate::settings::Settings;

/// Pause before a backup that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(10 * 60);
/// What an unfinished backup has left is removed after so long.
const LEFTOVERS_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the platform keeps its archives, and when it makes them.
#[derive(Debug)]
pub(super) struct Timetable {
    /// The setting.
    pub(super) place: String,
    /// The same, opened.
    pub(super) archives: Archives,
    schedule: Schedule,
    retention: Retention,
}

impl Timetable {
    /// What the settings say; `None`: there are no backups by themselves.
    pub(super) fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        if settings.backup_to.is_empty() {
            return Ok(None);
        }
        let place = settings.backup_to.clone();
        let archives = place::archives(&place).context("the setting `backup-to`")?;
        Ok(Some(Self { place, archives, schedule: settings.backup_every, retention: settings.backup_keep }))
    }

    /// When the last archive of the platform was begun.
    pub(super) async fn last(&self, platform: &str, now: Timestamp) -> Result<Option<Timestamp>, ArchivesError> {
        let ours = ArchiveName::new(platform, now);
        let listed = self.archives.list().await?;
        let ours = listed.iter().filter(|listed: &&ArchiveListed| listed.name.platform() == ours.platform());
        Ok(ours.map(|listed| listed.name.made_at()).max())
    }

    /// How long until the next is due.
    pub(super) fn wait(&self, last: Option<Timestamp>, now: Timestamp) -> Duration {
        match last {
            Some(last) if !self.schedule.is_due(Some(last), now) => between(now, self.schedule.next(last)),
            _ => Duration::ZERO,
        }
    }

    /// How long until one that failed is tried again.
    pub(super) fn retry(&self) -> Duration {
        RETRY_PAUSE
    }

    /// Removes what need not be kept, and says what that was.
    pub(super) async fn expire(&self, now: Timestamp) -> Result<Vec<ArchiveName>, ArchivesError> {
        let expired = self.archives.expire(self.retention).await?;
        self.archives.tidy(now - LEFTOVERS_AGE).await?;
        Ok(expired)
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Given;

    #[tokio::test]
    async fn a_backup_is_due_at_once_when_there_is_none_and_then_by_the_schedule() {
        let dir = tempfile::tempdir().unwrap();
        let given = Given {
            backup_to: Some(format!("disk:{}", dir.path().display())),
            backup_every: Some("daily 03:00".parse().unwrap()),
            ..Given::default()
        };
        let (settings, _) = Settings::load(given, None).unwrap();
        let timetable = Timetable::of(&settings).unwrap().unwrap();
        let now: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        assert_eq!(timetable.last("0a1b2c3d-x", now).await.unwrap(), None);
        assert_eq!(timetable.wait(None, now), Duration::ZERO);
        for name in ["ambo-0a1b2c3d-20261122T030000Z.ambo", "ambo-ffffffff-20261123T010000Z.ambo"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let last = timetable.last("0a1b2c3d-x", now).await.unwrap();
        assert_eq!(last, Some("2026-11-22T03:00:00Z".parse().unwrap()), "another platform's does not count");
        assert_eq!(timetable.wait(last, now), Duration::from_secs(3600));
        assert_eq!(timetable.wait(last, now + Duration::from_secs(7200)), Duration::ZERO, "it was missed");
    }
}
