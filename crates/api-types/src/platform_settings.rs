//! `/ambo/settings`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    /// Everybody.
    Open,
    /// Nobody.
    Closed,
    /// Those whom an administrator has invited.
    Invitation,
}

/// The platform's settings that can change while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformSettings {
    /// Who may register.
    pub registration: RegistrationMode,
    /// How many of an app's newest releases keep their images.
    pub releases_kept: u32,
}

/// `PATCH /ambo/settings`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformSettingsUpdate {
    /// Who may register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationMode>,
    /// How many of an app's newest releases keep their images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases_kept: Option<u32>,
}
