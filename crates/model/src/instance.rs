//! Running copies.

use std::fmt;
use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AppId, InstanceId};
use crate::name::{AppName, ProcessType};
use crate::release::ReleaseVersion;

/// Identifies a workload: all instances of one process of one release, of one generation.
///
/// Each is a thing of its own on the engine, so that old and new live side by side during a rollout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkloadId {
    /// The app.
    pub app: AppId,
    /// The release.
    pub release: ReleaseVersion,
    /// The process.
    pub process: ProcessType,
    /// Restarts so far; see [`FormationEntry::generation`](crate::FormationEntry::generation).
    pub generation: u32,
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.app, self.release, self.process, self.generation)
    }
}

/// What an instance is doing, as the engine sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum InstanceState {
    /// Created, not running yet.
    Starting,
    /// Running. Whether it is healthy is the health check's to say.
    Running,
    /// It has exited: the engine waits before it starts it again, or did so only just now.
    Crashed {
        /// Of the last exit.
        exit_code: Option<i32>,
    },
    /// It has ended and nobody will start it again.
    Exited {
        /// How.
        exit_code: Option<i32>,
    },
    /// It was told to stop.
    Stopping,
}

/// Where the router reaches an instance.
pub type Endpoint = SocketAddr;

/// A running copy, as observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The engine's id.
    pub id: InstanceId,
    /// What it is a copy of.
    pub workload: WorkloadId,
    /// The app's name when it was started.
    pub app_name: AppName,
    /// Which copy; from one. With the process it makes the name `web.1`.
    pub index: u32,
    /// What it is doing.
    pub state: InstanceState,
    /// Where it listens, once the engine has given it an address.
    pub endpoint: Option<Endpoint>,
    /// The machine it is on.
    pub node: String,
    /// How often the engine has restarted it.
    pub restarts: u32,
    /// When it last started.
    pub started_at: Option<Timestamp>,
}

impl Instance {
    /// `web.1`: what Heroku calls the dyno's name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.workload.process, self.index)
    }

    /// Whether its process runs now. One that crashed a moment ago and was started again does, though it is still counted as
    /// crashed: what it is good for is the health check's to say.
    #[must_use]
    pub fn is_running(&self) -> bool {
        match self.state {
            InstanceState::Running => true,
            InstanceState::Crashed { .. } => self.started_at.is_some(),
            InstanceState::Starting | InstanceState::Exited { .. } | InstanceState::Stopping => false,
        }
    }
}
