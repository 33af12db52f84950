//! `/ambo/apps/{app}/healthchecks`: maps from process to health check.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every process' health check.
pub type HealthChecks = BTreeMap<String, HealthCheck>;

/// `PATCH`: a check sets, `null` goes back to the default.
pub type HealthChecksUpdate = BTreeMap<String, Option<HealthCheckUpdate>>;

/// How an instance is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckKind {
    /// A TCP connection to `$PORT`.
    Tcp,
    /// `GET path` on `$PORT`.
    Http,
    /// It stays up.
    Uptime,
}

/// A health check in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheck {
    /// How to ask.
    #[serde(rename = "type")]
    pub kind: HealthCheckKind,
    /// What to get, with `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Seconds to stay up, with `uptime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Seconds between two questions.
    pub interval: u32,
    /// Seconds to wait for an answer.
    pub timeout: u32,
    /// Failures in a row that take an instance out.
    pub failures: u32,
    /// Seconds that a new instance has to become healthy.
    pub start: u32,
}

/// A health check as a user sets it; what is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheckUpdate {
    /// How to ask.
    #[serde(rename = "type")]
    pub kind: HealthCheckKind,
    /// What to get, with `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Seconds to stay up, with `uptime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Seconds between two questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
    /// Seconds to wait for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// Failures in a row that take an instance out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// Seconds that a new instance has to become healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u32>,
}
