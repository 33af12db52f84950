//! Lines as receivers read them: RFC 5424, in the words of Heroku's drains, so that what was made for those reads ours.
//!
//! The platform's own lines go by the program `heroku` (`heroku router`, `heroku web.1`), the app's by `app`. Over HTTP, as at
//! Heroku, a frame lacks the STRUCTURED-DATA field; over syslog it is complete and its host is the drain's token.

use ambo_model::{DrainToken, LogLine, LogSource, Timestamp};

/// Facility local7, severity info: what the app says.
const PRIORITY_APP: u8 = 190;
/// Facility local3, severity info: what the router says.
const PRIORITY_ROUTER: u8 = 158;
/// Facility syslog, severity notice: what the platform says.
const PRIORITY_PLATFORM: u8 = 45;

/// Which kind of receiver reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Complete RFC 5424, counted as RFC 6587 has it.
    Syslog,
    /// `application/logplex-1`.
    Logplex,
}

/// Adds a line as an octet-counted frame.
pub(crate) fn frame(line: &LogLine, token: &DrainToken, dialect: Dialect, bytes: &mut Vec<u8>) {
    let (priority, program) = match (line.source, line.name.as_str()) {
        (LogSource::App, _) => (PRIORITY_APP, "app"),
        (LogSource::Ambo, "router") => (PRIORITY_ROUTER, "heroku"),
        (LogSource::Ambo, _) => (PRIORITY_PLATFORM, "heroku"),
    };
    push(&Head { priority, at: line.at, program, process: &line.name }, &line.text, token, dialect, bytes);
}

/// Adds a line about dropped ones.
pub(crate) fn dropped_frame(
    dropped: &super::buffer::Dropped,
    now: Timestamp,
    token: &DrainToken,
    dialect: Dialect,
    bytes: &mut Vec<u8>,
) {
    let text = format!(
        "Error L10 (output buffer overflow): {} messages dropped since {}.",
        dropped.count,
        time(dropped.since, "%Y-%m-%dT%H:%M:%S+00:00")
    );
    let head = Head { priority: PRIORITY_PLATFORM, at: now, program: "heroku", process: "logplex" };
    push(&head, &text, token, dialect, bytes);
}

struct Head<'a> {
    priority: u8,
    at: Timestamp,
    program: &'a str,
    process: &'a str,
}

fn push(head: &Head<'_>, text: &str, token: &DrainToken, dialect: Dialect, bytes: &mut Vec<u8>) {
    let Head { priority, at, program, process } = head;
    let at = time(*at, "%Y-%m-%dT%H:%M:%S.%6f+00:00");
    let message = match dialect {
        Dialect::Syslog => format!("<{priority}>1 {at} {token} {program} {process} - - {text}"),
        Dialect::Logplex => format!("<{priority}>1 {at} host {program} {process} - {text}\n"),
    };
    bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
    bytes.extend_from_slice(message.as_bytes());
}

fn time(at: Timestamp, format: &str) -> String {
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::AppId;

    fn framed(source: LogSource, name: &str, text: &str, dialect: Dialect) -> String {
        let token: DrainToken = serde_json::from_str("\"d.1234\"").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let line = LogLine { app: AppId::new(), at, source, name: name.to_owned(), text: text.to_owned() };
        let mut bytes = Vec::new();
        frame(&line, &token, dialect, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn syslog_frames_are_complete_and_counted_in_octets() {
        let frame = framed(LogSource::App, "web.1", "grüß dich", Dialect::Syslog);
        let (count, message) = frame.split_once(' ').unwrap();
        assert_eq!(message, "<190>1 1970-01-01T00:00:00.000000+00:00 d.1234 app web.1 - - grüß dich");
        assert_eq!(count.parse::<usize>().unwrap(), message.len());
    }

    #[test]
    fn logplex_frames_are_as_herokus_down_to_what_they_lack() {
        let frame = framed(LogSource::Ambo, "router", "at=info", Dialect::Logplex);
        let (count, message) = frame.split_once(' ').unwrap();
        assert_eq!(message, "<158>1 1970-01-01T00:00:00.000000+00:00 host heroku router - at=info\n");
        assert_eq!(count.parse::<usize>().unwrap(), message.len());
    }
}
