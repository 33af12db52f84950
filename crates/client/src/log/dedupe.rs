//! Leaving out lines that were given before a break.

/// Length of the time at the start of a line: `2026-01-01T00:00:00.000000+00:00`.
const TIME_BYTES: usize = 32;
/// Most lines of one instant that are remembered.
const LINES_AT_LAST_MAX: usize = 1_024;

/// Remembers the youngest instant seen, and the lines of that instant. The times are of one width and one zone, so
/// they compare as text.
#[derive(Debug, Default)]
pub(super) struct Seen {
    last: String,
    at_last: Vec<String>,
    repeating: bool,
}

impl Seen {
    /// The stream broke: until a line is younger than all seen, it may be a repetition. Whether any was seen.
    pub(super) fn after_break(&mut self) -> bool {
        self.repeating = !self.last.is_empty();
        self.repeating
    }

    /// Whether the line is new.
    pub(super) fn admit(&mut self, line: &str) -> bool {
        let Some(at) = line.get(..TIME_BYTES) else { return true };
        if self.repeating
            && (at < self.last.as_str() || (at == self.last && self.at_last.iter().any(|old| old == line)))
        {
            return false;
        }
        if at > self.last.as_str() {
            self.repeating = false;
            at.clone_into(&mut self.last);
            self.at_last.clear();
        }
        if at == self.last && self.at_last.len() < LINES_AT_LAST_MAX {
            self.at_last.push(line.to_owned());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_repeats_nothing_and_loses_nothing() {
        let line = |second: u8, text: &str| format!("2026-01-01T00:00:{second:02}.000000+00:00 app[web.1]: {text}");
        let mut seen = Seen::default();
        assert!(!seen.after_break(), "nothing was seen yet");
        assert!(seen.admit(&line(1, "a")));
        assert!(seen.admit(&line(1, "a")), "the same line twice in one stream is two lines");
        assert!(seen.admit(&line(2, "b")));
        assert!(seen.after_break());
        assert!(!seen.admit(&line(1, "a")));
        assert!(!seen.admit(&line(2, "b")));
        assert!(seen.admit(&line(2, "c")), "another line of the last instant is new");
        assert!(seen.admit(&line(3, "d")));
        assert!(seen.admit(&line(2, "late")), "late lines are only dropped while repeating");
    }
}
