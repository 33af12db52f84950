//! `logs`.

use ambo_client::types::LogSessionCreate;

use crate::args::Logs;
use crate::context::Context;
use crate::exit::Outcome;
use crate::printer::{Emphasis, Printer};

pub(super) async fn run(context: &Context, args: Logs) -> Outcome {
    let (client, app) = context.app()?;
    let query = LogSessionCreate { lines: Some(args.num), tail: Some(args.tail), dyno: args.ps, source: args.source };
    let mut log = client.log_open(&app, &query).await?;
    while let Some(line) = log.next().await? {
        if context.printer.is_json() {
            context.printer.data(as_json(&line))?;
        } else {
            context.printer.data(coloured(&context.printer, &line))?;
        }
    }
    Ok(())
}

/// `time source[name]: text`.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (at, rest) = line.split_once(' ')?;
    let (speaker, text) = rest.split_once(": ").or_else(|| rest.strip_suffix(':').map(|speaker| (speaker, "")))?;
    if speaker.contains(' ') { None } else { Some((at, speaker, text)) }
}

/// One JSON object a line, so that a log that is followed can be read as it comes.
fn as_json(line: &str) -> String {
    let value = match parts(line) {
        Some((at, speaker, text)) => {
            let (source, name) = speaker.split_once('[').unwrap_or((speaker, ""));
            serde_json::json!({"at": at, "source": source, "name": name.trim_end_matches(']'), "text": text})
        }
        None => serde_json::json!({ "text": line }),
    };
    value.to_string()
}

/// Each speaker in a colour of its own.
fn coloured(printer: &Printer, line: &str) -> String {
    match parts(line) {
        Some((at, speaker, text)) => {
            let number = speaker.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
            format!("{} {text}", printer.paint(&format!("{at} {speaker}:"), Emphasis::Name(number)))
        }
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_falls_into_its_parts() {
        let line = "2026-01-01T00:00:00.000000+00:00 app[web.1]: a: b";
        assert_eq!(parts(line), Some(("2026-01-01T00:00:00.000000+00:00", "app[web.1]", "a: b")));
        insta::assert_snapshot!(as_json(line), @r#"{"at":"2026-01-01T00:00:00.000000+00:00","name":"web.1","source":"app","text":"a: b"}"#);
        assert_eq!(as_json("what?"), r#"{"text":"what?"}"#);
    }
}
