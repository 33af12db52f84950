//! Times as people say them.

use jiff::Timestamp;

/// How long ago, seen from `now`: `3m ago`; a date when it is long ago.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second());
    match seconds {
        ..5 => "just now".to_owned(),
        5..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        86_400..2_592_000 => format!("{}d ago", seconds / 86_400),
        _ => at.strftime("%Y-%m-%d").to_string(),
    }
}

/// How long until `at`: `in 3d`; `expired` when it has passed.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.as_second().saturating_sub(now.as_second());
    match seconds {
        ..=0 => "expired".to_owned(),
        1..3_600 => format!("in {}m", (seconds / 60).max(1)),
        3_600..86_400 => format!("in {}h", seconds / 3_600),
        86_400..2_592_000 => format!("in {}d", seconds / 86_400),
        _ => at.strftime("%Y-%m-%d").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_that_fits() {
        let now: Timestamp = "2026-06-30T12:00:00Z".parse().unwrap();
        let at = |text: &str| ago(text.parse().unwrap(), now);
        assert_eq!(at("2026-06-30T11:59:58Z"), "just now");
        assert_eq!(at("2026-06-30T12:00:09Z"), "just now", "clocks differ");
        assert_eq!(at("2026-06-30T11:59:30Z"), "30s ago");
        assert_eq!(at("2026-06-30T11:15:00Z"), "45m ago");
        assert_eq!(at("2026-06-29T13:00:00Z"), "23h ago");
        assert_eq!(at("2026-06-05T12:00:00Z"), "25d ago");
        assert_eq!(at("2025-06-05T12:00:00Z"), "2025-06-05");
        assert_eq!(until("2026-07-02T12:00:00Z".parse().unwrap(), now), "in 2d");
        assert_eq!(until("2026-06-02T12:00:00Z".parse().unwrap(), now), "expired");
    }
}
