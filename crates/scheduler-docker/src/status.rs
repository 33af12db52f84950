//! Docker's words on how long a container has been what it is: `Up 5 minutes`, `Exited (137) 2 hours ago`.
//!
//! A list of containers says no more than this about their start, and asking after each of them is what a cheap
//! observation avoids: what is known of a container stays known while these words agree with it.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Clocks and rounding may differ this much, in seconds.
const SLACK_SECONDS: u64 = 2;

/// The seconds that the text may stand for.
pub(crate) fn age_seconds(status: &str) -> Option<RangeInclusive<u64>> {
    let words = match status.strip_prefix("Up ") {
        Some(words) => words,
        None => status.split_once(") ")?.1,
    };
    let words = words.split_once(" (").map_or(words, |(words, _)| words);
    let words = words.strip_suffix(" ago").unwrap_or(words);
    let (low, high) = match words {
        "Less than a second" => (0, 1),
        "About a minute" => (60, 120),
        "About an hour" => (30 * 60, 90 * 60),
        _ => {
            let (count, unit) = words.split_once(' ')?;
            let count: u64 = count.parse().ok()?;
            let unit = unit_seconds(unit.strip_suffix('s').unwrap_or(unit))?;
            (count.saturating_sub(1).checked_mul(unit)?, count.checked_add(1)?.checked_mul(unit)?)
        }
    };
    Some(low.saturating_sub(SLACK_SECONDS)..=high.saturating_add(SLACK_SECONDS))
}

/// Whether the text may be said of what began `age` ago.
pub(crate) fn agrees(status: &str, age: Duration) -> bool {
    age_seconds(status).is_some_and(|range| range.contains(&age.as_secs()))
}

/// The exit code in `Exited (137) …` and `Restarting (1) …`.
pub(crate) fn exit_code(status: &str) -> Option<i32> {
    status.split_once('(')?.1.split_once(')')?.0.parse().ok()
}

fn unit_seconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        "week" => 7 * 24 * 60 * 60,
        "month" => 30 * 24 * 60 * 60,
        "year" => 365 * 24 * 60 * 60,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_agree_with_what_they_may_stand_for() {
        let agrees = |status, seconds| agrees(status, Duration::from_secs(seconds));
        assert!(agrees("Up Less than a second", 0) && !agrees("Up Less than a second", 10));
        assert!(agrees("Up 5 seconds", 5) && !agrees("Up 5 seconds", 60));
        assert!(agrees("Up About a minute (healthy)", 90) && !agrees("Up About a minute", 600));
        assert!(agrees("Up 2 hours (Paused)", 7500) && !agrees("Up 5 seconds", 7500));
        assert!(agrees("Exited (137) 3 minutes ago", 200));
        assert!(!agrees("Created", 0) && !agrees("Up forever", 0));
    }

    #[test]
    fn exit_codes_are_read() {
        assert_eq!(exit_code("Exited (137) 3 minutes ago"), Some(137));
        assert_eq!(exit_code("Restarting (1) 2 seconds ago"), Some(1));
        assert_eq!(exit_code("Created"), None);
    }
}
