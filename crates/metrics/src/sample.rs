//! What a node says of itself.

use ambo_model::InstanceUsage;
use serde::{Deserialize, Serialize};

use crate::machine::MachineSample;
use crate::requests::AppRequests;

/// One node at one moment. What could not be asked is absent, and the rest of use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeSample {
    /// The machine.
    pub machine: MachineSample,
    /// Its router; none when it does not answer.
    pub router: Option<RouterSample>,
    /// Its instances, one-off runs included; none when its engine does not answer.
    pub instances: Option<Vec<InstanceUsage>>,
}

/// A router since it began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouterSample {
    /// Every app's requests, and those that were for none.
    pub requests: Vec<AppRequests>,
    /// Requests that are not counted above and have no line in any log, since too many came at once.
    pub uncounted: u64,
}
