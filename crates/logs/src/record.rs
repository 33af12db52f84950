//! Lines as they are kept.

use ambo_model::{AppId, LogLine, LogSource, Timestamp};

use crate::safe_text::safe;

/// Longest name within a source, in bytes; the rest is cut off.
const NAME_BYTES_MAX: usize = 128;

/// A line with its place in the app's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Grows with every line of the app, over restarts too; not without gaps. A reader that has seen a record goes on
    /// with [`LogStore::follow_from`](crate::LogStore::follow_from).
    pub cursor: u64,
    /// The line.
    pub line: LogLine,
}

/// Which lines a reader wants. The default wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only of this source.
    pub source: Option<LogSource>,
    /// Only of this name (`web.1`, `router`) or of this process type (`web`, which includes `web.1` and `web.2`).
    pub name: Option<String>,
}

impl LogFilter {
    /// Whether a line is wanted.
    #[must_use]
    pub fn matches(&self, line: &LogLine) -> bool {
        let source_wanted = self.source.is_none_or(|source| source == line.source);
        source_wanted && self.name.as_ref().is_none_or(|wanted| name_matches(wanted, &line.name))
    }
}

fn name_matches(wanted: &str, name: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Makes a line safe to keep: one that prints, and that parses back.
pub(crate) fn line_safe(mut line: LogLine) -> LogLine {
    if line.name.is_empty() || line.name.len() > NAME_BYTES_MAX || line.name.contains(unfit_for_name) {
        line.name.truncate(line.name.floor_char_boundary(NAME_BYTES_MAX));
        line.name = line.name.replace(unfit_for_name, "_");
        if line.name.is_empty() {
            line.name.push('_');
        }
    }
    if let std::borrow::Cow::Owned(text) = safe(&line.text) {
        line.text = text;
    }
    line
}

fn unfit_for_name(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

/// Appends a record as it stands in a segment file: `CURSOR NANOSECONDS SOURCE NAME TEXT` and a line end.
pub(crate) fn encode(record: &LogRecord, bytes: &mut Vec<u8>) {
    let LogRecord { cursor, line } = record;
    let at = line.at.as_nanosecond();
    bytes.extend_from_slice(format!("{cursor} {at} {} {} ", line.source, line.name).as_bytes());
    bytes.extend_from_slice(line.text.as_bytes());
    bytes.push(b'\n');
}

/// Reads a record back; `None` for what is damaged.
pub(crate) fn decode(app: AppId, bytes: &[u8]) -> Option<LogRecord> {
    let mut fields = std::str::from_utf8(bytes).ok()?.splitn(5, ' ');
    let cursor = fields.next()?.parse().ok()?;
    let at = Timestamp::from_nanosecond(fields.next()?.parse().ok()?).ok()?;
    let source = match fields.next()? {
        "app" => LogSource::App,
        "ambo" => LogSource::Ambo,
        _ => return None,
    };
    let name = fields.next()?.to_owned();
    Some(LogRecord { cursor, line: LogLine { app, at, source, name, text: fields.next()?.to_owned() } })
}

/// The cursor of an encoded record.
pub(crate) fn decode_cursor(bytes: &[u8]) -> Option<u64> {
    let end = bytes.iter().position(|byte| *byte == b' ')?;
    std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_read_back_as_it_was_kept(cursor: u64, seconds in 0..4_000_000_000_i64, nanoseconds in 0..1_000_000_000_i32, name: String, text: String) {
            let at = Timestamp::new(seconds, nanoseconds).expect("a timestamp");
            let line = line_safe(LogLine { app: AppId::new(), at, source: LogSource::App, name, text });
            let record = LogRecord { cursor, line };
            let mut bytes = Vec::new();
            encode(&record, &mut bytes);
            prop_assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
            let bytes = &bytes[..bytes.len() - 1];
            prop_assert_eq!(decode_cursor(bytes), Some(cursor));
            prop_assert_eq!(decode(record.line.app, bytes), Some(record));
        }
    }

    #[test]
    fn damaged_bytes_are_no_record() {
        for bytes in [&b""[..], b"1", b"1 2", b"x 2 app web.1 hi", b"1 2 else web.1 hi", b"1 2 app web.1", b"\xFF 1"] {
            assert_eq!(decode(AppId::new(), bytes), None);
        }
    }

    #[test]
    fn a_process_type_matches_its_instances_and_no_others() {
        for (wanted, name, expected) in [
            ("web", "web.1", true),
            ("web", "web.12", true),
            ("web", "webhook.1", false),
            ("web.1", "web.1", true),
            ("web.1", "web.12", false),
            ("router", "router", true),
        ] {
            assert_eq!(name_matches(wanted, name), expected, "{wanted} {name}");
        }
    }
}
