//! `/apps/{app}/dynos`: instances and one-off runs, by Heroku's name for them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::reference::{AppReference, ReleaseReference};

/// An instance or a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dyno {
    /// Its id.
    pub id: Uuid,
    /// `web.1`, `run.4821`.
    pub name: String,
    /// Its process; `run` for a run.
    #[serde(rename = "type")]
    pub process_type: String,
    /// What it runs, for people.
    pub command: String,
    /// Its limits, for people.
    pub size: String,
    /// `starting`, `up`, `crashed`, `down`, …
    pub state: String,
    /// Where to attach to it, in the answer that makes it: `rendezvous://host:port/secret`, which Heroku's client speaks.
    pub attach_url: Option<String>,
    /// What Heroku's has no field for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambo: Option<DynoExtra>,
    /// Of which release.
    pub release: Option<ReleaseReference>,
    /// Of which app.
    pub app: AppReference,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

/// What an instance or run has beside Heroku's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DynoExtra {
    /// Where to attach to it over a WebSocket (see [`crate::attach`]), in the answer that makes it. The secret is that of
    /// `attach_url`: whoever comes first, by either door, has the session.
    pub attach_url: String,
}

impl Dyno {
    /// Where our own client attaches.
    #[must_use]
    pub fn websocket_url(&self) -> Option<&str> {
        self.ambo.as_ref().map(|extra| extra.attach_url.as_str()).or(self.attach_url.as_deref())
    }
}

/// `POST /apps/{app}/dynos` and `POST /apps/{app}/dynos/{name}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DynoCreate {
    /// A shell line.
    pub command: String,
    /// Whether somebody attaches.
    #[serde(default)]
    pub attach: Option<bool>,
    /// More environment variables.
    #[serde(default, deserialize_with = "environment")]
    pub env: BTreeMap<String, String>,
    /// Limits by name; ours have none, so it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The process whose limits hold; `run` when absent.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub process_type: Option<String>,
    /// No terminal, though somebody attaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_no_tty: Option<bool>,
    /// Seconds after which it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_live: Option<u64>,
    /// The terminal's size. Ours; Heroku's client sends `COLUMNS` and `LINES` in `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambo: Option<TerminalSize>,
}

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalSize {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Clients send numbers for `COLUMNS` and `LINES`.
fn environment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected text or a number")]
    enum Value {
        Text(String),
        Number(serde_json::Number),
        Flag(bool),
    }
    let values = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    let text = |value| match value {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
    };
    Ok(values.into_iter().map(|(key, value)| (key, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_may_hold_numbers() {
        let request: DynoCreate =
            serde_json::from_str(r#"{"command":"bash","attach":true,"env":{"COLUMNS":80,"TERM":"xterm"},"new":1}"#)
                .unwrap();
        assert_eq!(request.env["COLUMNS"], "80");
        assert_eq!(request.env["TERM"], "xterm");
    }
}
