//! The messages.

use ambo_model::{AppId, Hostname, InstanceId, LogLine, Route};
use serde::{Deserialize, Serialize};

/// Messages with lines that a router sends before the first of them is kept.
pub(super) const UNKEPT_BATCHES_MAX: usize = 4;

/// A certificate with the hosts that it is shown for. Goes over encrypted streams only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedCertificate {
    /// The hosts; none means that it is shown where no other fits.
    pub hosts: Vec<Hostname>,
    /// The chain, PEM.
    pub chain: String,
    /// Its key, PEM.
    pub key: String,
}

impl std::fmt::Debug for RoutedCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedCertificate").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub(super) enum ToRouter {
    /// Go by these routes, besides those that are known unless this is the whole table.
    Table { whole: bool, routes: Vec<Route>, gone: Vec<AppId> },
    /// Show these certificates and no others.
    Certificates { certificates: Vec<RoutedCertificate> },
    /// Say that all of the above is in force.
    Confirm { number: u64 },
    /// Say when no request is in flight to these, or the grace has passed.
    Drain { number: u64, instances: Vec<InstanceId>, grace_ms: u64 },
    /// The leader is there.
    Beat,
    /// The lines up to this one are kept.
    LinesKept { through: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
pub(super) enum FromRouter {
    /// What came before this confirmation is in force.
    Applied { number: u64 },
    /// The drain of this number is over.
    Drained { number: u64 },
    /// Lines; the last one has this number.
    Lines { through: u64, lines: Vec<LogLine> },
}
