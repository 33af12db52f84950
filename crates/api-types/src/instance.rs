//! `GET /apps/{app}/dynos`: what an answer says beyond Heroku's dyno.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dyno::Dyno;

/// An instance: Heroku's dyno, and what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// The dyno.
    #[serde(flatten)]
    pub dyno: Dyno,
    /// The machine that it is on. Ours.
    #[serde(default)]
    pub node: Option<String>,
    /// When it last started. Ours.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// How often it has been restarted because it ended or was not healthy. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
}
