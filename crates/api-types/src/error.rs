//! The body of every answer with a status of 400 or more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// For programs: `not_found`, `invalid_params`, …
    pub id: String,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The kind of thing that was not found: `app`, `session`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}
