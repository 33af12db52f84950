//! When an instance counts as healthy.

use serde::{Deserialize, Serialize};

/// How an instance is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Probe {
    /// A TCP connection to `$PORT` is accepted. The default of `web`.
    Tcp,
    /// `GET path` answers with a status below 400.
    Http {
        /// Path and query, starting with `/`.
        path: String,
    },
    /// The instance has stayed up this long. The default of every other process.
    Uptime {
        /// Seconds without an exit.
        seconds: u32,
    },
}

/// A process' health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// How to ask.
    pub probe: Probe,
    /// Seconds between two questions to an instance in rotation.
    pub interval_seconds: u32,
    /// Seconds to wait for an answer.
    pub timeout_seconds: u32,
    /// Failures in a row that take an instance out of rotation and restart it.
    pub failures_max: u32,
    /// Seconds that a new instance has to become healthy before its rollout fails.
    pub start_seconds: u32,
}

/// Longest time that a new instance may be given to become healthy, in seconds.
pub const START_SECONDS_MAX: u32 = 3600;

impl HealthCheck {
    /// The check of a process for which the user has set none.
    #[must_use]
    pub fn default_for(process: &crate::ProcessType) -> Self {
        let probe = if process.is_web() { Probe::Tcp } else { Probe::Uptime { seconds: 3 } };
        Self { probe, interval_seconds: 5, timeout_seconds: 5, failures_max: 3, start_seconds: 60 }
    }
}
