//! Requests by curl, which sends every `*.localhost` to this machine.

use std::process::Command;

use crate::program::run;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status; 0 when there was none.
    pub status: u16,
    /// Its body.
    pub body: String,
    /// Its head, as curl prints it.
    pub head: String,
}

/// `GET url`.
#[must_use]
pub fn get(url: &str) -> Answer {
    get_with(url, &[])
}

/// `GET url` with more arguments to curl.
///
/// # Panics
/// When curl is missing.
#[must_use]
pub fn get_with(url: &str, arguments: &[&str]) -> Answer {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "--max-time", "20", "--noproxy", "*"]).args(arguments).arg(url);
    let ran = run(&mut curl);
    let text = ran.stdout.replace("\r\n", "\n");
    // An answer in advance, `100 Continue`, is not the answer.
    let text = text.strip_prefix("HTTP/1.1 100 Continue\n\n").unwrap_or(&text);
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, body: body.to_owned(), head: head.to_owned() }
}
