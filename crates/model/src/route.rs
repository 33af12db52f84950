//! Routes: which hosts lead to which instances.

use serde::{Deserialize, Serialize};

use crate::id::{AppId, InstanceId};
use crate::instance::Endpoint;
use crate::name::{AppName, Hostname};

/// An instance that may be sent requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which.
    pub instance: InstanceId,
    /// Its name in log lines: `web.1`.
    pub name: String,
    /// Where.
    pub endpoint: Endpoint,
}

/// All that the router needs to know of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The app.
    pub app: AppId,
    /// Its name, for pages and log lines.
    pub app_name: AppName,
    /// The hosts that lead to it, the platform's own name for it first.
    pub hosts: Vec<Hostname>,
    /// Healthy `web` instances of the release that serves.
    pub targets: Vec<Target>,
    /// Whether every request is answered with the maintenance page.
    pub maintenance: bool,
    /// Whether the app has a crashed `web` instance: H10 rather than H14 when there is no target.
    pub crashed: bool,
}

/// The whole table, always replaced as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// One entry per app.
    pub routes: Vec<Route>,
}
