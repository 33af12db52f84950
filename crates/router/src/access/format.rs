//! Heroku's router line.

use std::time::Duration;

use crate::access::record::AccessRecord;
use crate::fault::Level;

/// Longest path in a line, in bytes; longer ones are cut.
const PATH_BYTES_MAX: usize = 4096;
/// A line's usual length, in bytes.
const LINE_BYTES_USUAL: usize = 320;

/// `at=info method=GET path="/" host=a.localhost request_id=… fwd="127.0.0.1" dyno=web.1 connect=1ms service=5ms status=200
/// bytes=123 protocol=http`. Values that are not known stay empty, as Heroku's do.
pub(crate) fn line(record: &AccessRecord) -> String {
    let mut line = String::with_capacity(LINE_BYTES_USUAL);
    line_write(&mut line, record);
    line
}

/// Built piece by piece: one line per request, and `write!` would take twice as long.
fn line_write(line: &mut String, record: &AccessRecord) {
    let level = record.fault.map_or(Level::Info, |fault| fault.level());
    line.push_str("at=");
    line.push_str(level.as_str());
    if let Some(fault) = record.fault {
        if let Some(code) = fault.code() {
            line.push_str(" code=");
            line.push_str(code);
        }
        line.push_str(" desc=\"");
        line.push_str(fault.description());
        line.push('"');
    }
    line.push_str(" method=");
    line.push_str(record.method.as_str());
    line.push_str(" path=\"");
    quoted(line, record.uri.path_and_query().map_or("/", |path| path.as_str()));
    line.push_str("\" host=");
    line.push_str(record.host.to_str().unwrap_or_default());
    line.push_str(" request_id=");
    line.push_str(record.request_id.to_str().unwrap_or_default());
    line.push_str(" fwd=\"");
    quoted(line, record.forwarded_for.to_str().unwrap_or_default());
    line.push_str("\" dyno=");
    line.push_str(record.instance_name().unwrap_or_default());
    line.push_str(" connect=");
    milliseconds(line, record.connect);
    line.push_str(" service=");
    milliseconds(line, record.target.as_ref().map(|_| record.service));
    line.push_str(" status=");
    number(line, u64::from(record.status));
    line.push_str(" bytes=");
    number(line, record.bytes);
    line.push_str(" protocol=");
    line.push_str(record.scheme.as_str());
}

fn milliseconds(line: &mut String, duration: Option<Duration>) {
    if let Some(duration) = duration {
        number(line, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        line.push_str("ms");
    }
}

fn number(line: &mut String, mut number: u64) {
    // As many digits as `u64::MAX` has.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.push_str(std::str::from_utf8(&digits[start..]).unwrap_or_default());
}

/// Appends a text so that it cannot end its quotes or its line.
fn quoted(line: &mut String, text: &str) {
    let cut = text.len().min(PATH_BYTES_MAX);
    let cut = (0..=cut).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let text = &text[..cut];
    if text.bytes().all(|b| b != b'"' && b != b'\\' && !b.is_ascii_control()) {
        line.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => line.push('?'),
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ambo_model::{InstanceId, Target, Timestamp};
    use http::{HeaderValue, Method};

    use super::*;
    use crate::client::Scheme;
    use crate::fault::Fault;
    use crate::target::TargetState;

    fn record() -> AccessRecord {
        let endpoint = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let target = Target { instance: InstanceId::new("a"), name: "web.1".into(), endpoint };
        AccessRecord {
            at: Timestamp::UNIX_EPOCH,
            app: None,
            method: Method::GET,
            uri: "/a?b=c".parse().unwrap(),
            host: HeaderValue::from_static("x.localhost"),
            request_id: HeaderValue::from_static("0123456789abcdefghij"),
            forwarded_for: HeaderValue::from_static("127.0.0.1"),
            connect: Some(Duration::from_millis(1)),
            service: Duration::from_micros(5_900),
            status: 200,
            bytes: 123,
            scheme: Scheme::Http,
            fault: None,
            target: Some(Arc::new(TargetState::new(&target, 1))),
        }
    }

    #[test]
    fn a_line_reads_as_herokus() {
        assert_eq!(
            line(&record()),
            "at=info method=GET path=\"/a?b=c\" host=x.localhost request_id=0123456789abcdefghij fwd=\"127.0.0.1\" \
             dyno=web.1 connect=1ms service=5ms status=200 bytes=123 protocol=http"
        );
    }

    #[test]
    fn an_error_carries_its_code_and_leaves_unknown_values_empty() {
        let record = AccessRecord {
            fault: Some(Fault::NoWebProcesses),
            target: None,
            connect: None,
            status: 503,
            bytes: 0,
            ..record()
        };
        assert_eq!(
            line(&record),
            "at=error code=H14 desc=\"No web processes running\" method=GET path=\"/a?b=c\" host=x.localhost \
             request_id=0123456789abcdefghij fwd=\"127.0.0.1\" dyno= connect= service= status=503 bytes=0 protocol=http"
        );
    }

    #[test]
    fn numbers_are_written_in_full() {
        for n in [0, 7, 10, 12_345, u64::MAX] {
            let mut text = String::new();
            number(&mut text, n);
            assert_eq!(text, n.to_string());
        }
    }

    #[test]
    fn a_path_cannot_break_out_of_its_quotes() {
        let mut text = String::new();
        quoted(&mut text, "/\" status=200 \\");
        assert_eq!(text, "/\\\" status=200 \\\\");
    }
}
