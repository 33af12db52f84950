//! `/apps`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::{NamedReference, UserReference};

/// An app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct App {
    /// Its id, the same through renames.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether certificates are fetched for its domains.
    #[serde(default)]
    pub acm: bool,
    /// Never.
    pub archived_at: Option<Timestamp>,
    /// What built it, for people.
    pub buildpack_provided_description: Option<String>,
    /// The stack of its next build.
    pub build_stack: NamedReference,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The newest release that succeeded with a build.
    pub released_at: Option<Timestamp>,
    /// Always `cedar`: clients then log, run and scale as we serve it.
    pub generation: NamedReference,
    /// Where to push to.
    pub git_url: String,
    /// Never.
    pub internal_routing: Option<bool>,
    /// Whether visitors see the maintenance page.
    pub maintenance: bool,
    /// Whose it is.
    pub owner: UserReference,
    /// None: there are no organizations.
    pub organization: Option<NamedReference>,
    /// None: there are no teams.
    pub team: Option<NamedReference>,
    /// Where it runs.
    pub region: NamedReference,
    /// Bytes of its repository, if known.
    pub repo_size: Option<u64>,
    /// Bytes of its image, if known.
    pub slug_size: Option<u64>,
    /// None: there are no spaces.
    pub space: Option<NamedReference>,
    /// The stack of its current build.
    pub stack: NamedReference,
    /// Where visitors go.
    pub web_url: Option<String>,
}

/// `POST /apps`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppCreate {
    /// Its name; one is made up when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it shall run; there is one region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// On which stack; there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// For which team: refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// In which space: refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
}

/// `PATCH /apps/{app}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppUpdate {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Maintenance mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<bool>,
    /// The stack of its next build; there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_stack: Option<String>,
}
