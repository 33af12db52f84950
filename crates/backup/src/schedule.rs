//! When a backup is due. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ambo_model::Timestamp;
use jiff::civil::Time;

/// Shortest interval.
const EVERY_MIN: Duration = Duration::from_secs(15 * 60);
/// Longest interval.
const EVERY_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// When backups are made. Times are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// `daily 03:00`.
    Daily {
        /// At what time.
        at: Time,
    },
    /// `every 6h`, `every 30m`, `every 2d`: at the multiples of that time since 1970, so that a restart shifts nothing.
    Every(Duration),
}

impl Default for Schedule {
    /// Daily at 3.
    fn default() -> Self {
        Self::Daily { at: Time::constant(3, 0, 0, 0) }
    }
}

/// Not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no schedule: write `daily 03:00` (UTC), or `every` with a time from `15m` to `31d`, such as `every 6h`"
)]
pub struct ScheduleError(String);

impl Schedule {
    /// The first time after `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        let (step, offset) = match self {
            Self::Daily { at } => (DAY, i64::from(at.hour()) * 3600 + i64::from(at.minute()) * 60),
            Self::Every(step) => (*step, 0),
        };
        let step = i64::try_from(step.as_secs()).unwrap_or(i64::MAX);
        let past = (now.as_second() - offset).div_euclid(step);
        let next = past.saturating_add(1).saturating_mul(step).saturating_add(offset);
        Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
    }

    /// Whether one is due at `now` when the last was begun at `last`: missed ones are made up for, all by one.
    #[must_use]
    pub fn is_due(&self, last: Option<Timestamp>, now: Timestamp) -> bool {
        last.is_none_or(|last| self.next(last) <= now)
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let refused = || ScheduleError(text.chars().filter(|c| !c.is_control()).take(40).collect());
        let parsed = match text.trim().split_once(' ') {
            Some(("daily", at)) => Time::strptime("%H:%M", at.trim()).ok().map(|at| Self::Daily { at }),
            Some(("every", step)) => every(step.trim()).map(Self::Every),
            _ => None,
        };
        parsed.ok_or_else(refused)
    }
}

fn every(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return None,
    };
    let is_number = count.bytes().all(|b| b.is_ascii_digit());
    let seconds = count.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(unit_seconds)?;
    Some(Duration::from_secs(seconds)).filter(|step| (EVERY_MIN..=EVERY_MAX).contains(step))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daily { at } => write!(f, "daily {}", at.strftime("%H:%M")),
            Self::Every(step) => match step.as_secs() {
                seconds if seconds % DAY.as_secs() == 0 => write!(f, "every {}d", seconds / DAY.as_secs()),
                seconds if seconds % 3600 == 0 => write!(f, "every {}h", seconds / 3600),
                seconds => write!(f, "every {}m", seconds / 60),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn shown(at: Timestamp) -> String {
        at.to_zoned(TimeZone::UTC).strftime("%d %H:%M").to_string()
    }

    #[test]
    fn a_schedule_says_when_next() {
        for (schedule, now, next) in [
            ("daily 03:00", "2026-11-23T02:59:59Z", "23 03:00"),
            ("daily 03:00", "2026-11-23T03:00:00Z", "24 03:00"),
            ("daily 00:00", "2026-11-23T23:59:59Z", "24 00:00"),
            ("every 6h", "2026-11-23T05:00:00Z", "23 06:00"),
            ("every 6h", "2026-11-23T18:00:00Z", "24 00:00"),
            ("every 30m", "2026-11-23T18:29:00Z", "23 18:30"),
        ] {
            let schedule: Schedule = schedule.parse().unwrap();
            assert_eq!(shown(schedule.next(now.parse().unwrap())), next, "{schedule} after {now}");
        }
    }

    #[test]
    fn what_was_missed_is_due_once() {
        let schedule: Schedule = "daily 03:00".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(schedule.is_due(None, at("2026-11-23T10:00:00Z")), "there is none yet");
        assert!(schedule.is_due(Some(at("2026-11-20T03:00:00Z")), at("2026-11-23T10:00:00Z")));
        assert!(!schedule.is_due(Some(at("2026-11-23T10:00:00Z")), at("2026-11-23T10:01:00Z")));
        assert!(!schedule.is_due(Some(at("2026-11-23T03:00:00Z")), at("2026-11-24T02:59:59Z")));
    }

    #[test]
    fn schedules_print_as_they_are_written_and_others_are_refused() {
        for text in ["daily 03:00", "every 6h", "every 15m", "every 31d", "every 90m"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "daily",
            "daily 25:00",
            "every 1m",
            "every 32d",
            "every h",
            "every +6h",
            "every 6",
            "weekly",
            "every 6ä",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
