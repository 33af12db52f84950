//! Which archives to keep. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::name::ArchiveName;

/// How many archives to keep, of each platform. An archive that any of the three keeps is kept. Days and weeks are those of UTC,
/// and only those count that have archives, so that a platform that stood still loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many. At least one is kept.
    pub keep_last: u32,
    /// The newest of each of the last so many days.
    pub keep_daily: u32,
    /// The newest of each of the last so many weeks, which begin on Mondays.
    pub keep_weekly: u32,
}

/// Does not say how many archives to keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` does not say how many archives to keep: write `3,7d,4w` for the newest 3, one of each of 7 days and of 4 weeks"
)]
pub struct RetentionError(String);

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}d,{}w", self.keep_last, self.keep_daily, self.keep_weekly)
    }
}

impl FromStr for Retention {
    type Err = RetentionError;

    /// Reads `3,7d,4w`; what is left out is none.
    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let refused = || RetentionError(text.chars().filter(|c| !c.is_control()).take(40).collect());
        let mut kept = Self { keep_last: 0, keep_daily: 0, keep_weekly: 0 };
        for part in text.split(',').map(str::trim) {
            let (field, number) = match (part.strip_suffix('d'), part.strip_suffix('w')) {
                (Some(days), _) => (&mut kept.keep_daily, days),
                (None, Some(weeks)) => (&mut kept.keep_weekly, weeks),
                (None, None) => (&mut kept.keep_last, part),
            };
            *field = number.parse().map_err(|_| refused())?;
        }
        Ok(kept)
    }
}

impl Default for Retention {
    /// 3 archives, 7 days, 4 weeks.
    fn default() -> Self {
        Self { keep_last: 3, keep_daily: 7, keep_weekly: 4 }
    }
}

impl Retention {
    /// Which of these to delete, oldest first.
    #[must_use]
    pub fn expired(&self, archives: &[ArchiveName]) -> Vec<ArchiveName> {
        let mut platforms: BTreeMap<&str, BTreeSet<&ArchiveName>> = BTreeMap::new();
        for archive in archives {
            platforms.entry(archive.platform()).or_default().insert(archive);
        }
        let mut expired = Vec::new();
        for of_platform in platforms.into_values() {
            let kept = self.kept(&of_platform);
            expired.extend(of_platform.into_iter().filter(|archive| !kept.contains(archive)).cloned());
        }
        expired.sort_by_key(ArchiveName::made_at);
        expired
    }

    fn kept<'a>(&self, archives: &BTreeSet<&'a ArchiveName>) -> BTreeSet<&'a ArchiveName> {
        let newest_first = || archives.iter().rev().copied();
        let mut kept: BTreeSet<_> = newest_first().take(count(self.keep_last).max(1)).collect();
        let day = |archive: &ArchiveName| archive.made_at().to_zoned(TimeZone::UTC).date();
        let week = |archive: &ArchiveName| {
            let week = day(archive).iso_week_date();
            (week.year(), week.week())
        };
        kept.extend(newest_of_each(newest_first(), day, self.keep_daily));
        kept.extend(newest_of_each(newest_first(), week, self.keep_weekly));
        kept
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The newest of each of the last so many periods.
fn newest_of_each<'a, P: PartialEq>(
    newest_first: impl Iterator<Item = &'a ArchiveName>,
    period: impl Fn(&ArchiveName) -> P,
    periods: u32,
) -> Vec<&'a ArchiveName> {
    let mut found: Vec<&ArchiveName> = newest_first.collect();
    found.dedup_by(|older, newer| period(older) == period(newer));
    found.truncate(count(periods));
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ambo_model::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn names(platform: &str, times: &[&str]) -> Vec<ArchiveName> {
        times.iter().map(|time| ArchiveName::new(platform, time.parse().unwrap())).collect()
    }

    #[test]
    fn the_newest_of_days_and_weeks_stay() {
        let archives = names(
            "a",
            &[
                "2026-11-02T03:00:00Z", // a Monday, two weeks before
                "2026-11-08T03:00:00Z", // the Sunday of the same week
                "2026-11-15T03:00:00Z", // the Sunday of the next
                "2026-11-16T03:00:00Z",
                "2026-11-17T03:00:00Z",
                "2026-11-17T15:00:00Z",
                "2026-11-18T03:00:00Z",
            ],
        );
        let expired = |keep_last, keep_daily, keep_weekly| {
            let expired = Retention { keep_last, keep_daily, keep_weekly }.expired(&archives);
            let positions = expired.iter().map(|gone| archives.iter().position(|archive| archive == gone).unwrap());
            positions.collect::<Vec<_>>()
        };
        assert_eq!(expired(2, 0, 0), [0, 1, 2, 3, 4]);
        assert_eq!(expired(0, 3, 0), [0, 1, 2, 4]);
        assert_eq!(expired(0, 0, 3), [0, 3, 4, 5]);
        assert_eq!(expired(1, 2, 2), [0, 1, 3, 4]);
        assert_eq!(expired(0, 0, 0), [0, 1, 2, 3, 4, 5], "the last one stays, whatever is asked for");
        assert_eq!(expired(u32::MAX, 0, 0), [0; 0]);
    }

    #[test]
    fn it_prints_as_it_is_written_and_nonsense_is_refused() {
        for text in ["3,7d,4w", "1,0d,0w"] {
            assert_eq!(text.parse::<Retention>().unwrap().to_string(), text);
        }
        assert_eq!("5".parse(), Ok(Retention { keep_last: 5, keep_daily: 0, keep_weekly: 0 }));
        for text in ["", "d", "3m", "-1", "3 7", "3,,7d"] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_platform_does_not_count_for_another() {
        let archives = [names("a", &["2026-11-02T03:00:00Z"]), names("b", &["2026-11-03T03:00:00Z"])].concat();
        assert_eq!(Retention { keep_last: 1, keep_daily: 0, keep_weekly: 0 }.expired(&archives), []);
    }

    proptest! {
        #[test]
        fn repeating_it_every_time_keeps_what_doing_it_once_keeps(
            hours in prop::collection::btree_set(0_u64..5_000, 1..60),
            (keep_last, keep_daily, keep_weekly) in (1_u32..5, 0_u32..8, 0_u32..6),
        ) {
            let retention = Retention { keep_last, keep_daily, keep_weekly };
            let at = |hour: &u64| Timestamp::UNIX_EPOCH.checked_add(Duration::from_secs(hour * 3600)).unwrap();
            let all: Vec<_> = hours.iter().map(|hour| ArchiveName::new("a", at(hour))).collect();
            let without = |archives: &[ArchiveName]| {
                let expired = retention.expired(archives);
                archives.iter().filter(|archive| !expired.contains(archive)).cloned().collect::<Vec<_>>()
            };
            let mut kept = Vec::new();
            for archive in &all {
                kept.push(archive.clone());
                kept = without(&kept);
                prop_assert!(kept.contains(archive), "the newest stays");
            }
            prop_assert_eq!(kept, without(&all));
        }
    }
}
