//! `GET /ambo/info`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::platform_settings::RegistrationMode;

/// The platform. Without a token only `version`, `domain`, `router_url` and `registration` are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// The server's version.
    pub version: String,
    /// Apps are hosts below this name.
    pub domain: String,
    /// The address of the router, without an app's name.
    pub router_url: String,
    /// Who may register.
    pub registration: RegistrationMode,
    /// Git over SSH, if it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshInfo>,
    /// The registry's host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineInfo>,
}

/// Where git over SSH is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SshInfo {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The engine that runs the containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineInfo {
    /// `up` or `down`.
    pub status: String,
    /// Its name and version, when it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is wrong, when it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
