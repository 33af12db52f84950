//! Log lines.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::AppId;

/// Longest text of one log line, in bytes; longer lines are cut into several.
pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;

/// Who says it. The stream prints `source[name]`, as Heroku's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The app's own output: `app[web.1]`.
    App,
    /// The platform: `ambo[router]`, `ambo[web.1]`, `ambo[api]`.
    Ambo,
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogSource::App => "app",
            LogSource::Ambo => "ambo",
        })
    }
}

/// One line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Whose.
    pub app: AppId,
    /// When it was said.
    pub at: Timestamp,
    /// Who says it.
    pub source: LogSource,
    /// What within the source: `web.1`, `router`, `api`, `release`.
    pub name: String,
    /// The text, without its line end.
    pub text: String,
}

impl fmt::Display for LogLine {
    /// `2026-01-01T00:00:00.000000+00:00 app[web.1]: text`, which the Heroku CLI colours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00");
        write!(f, "{at} {}[{}]: {}", self.source, self.name, self.text)
    }
}
