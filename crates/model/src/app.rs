//! An app.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::formation::Formation;
use crate::id::{AccountId, AppId};
use crate::name::AppName;
use crate::release::ReleaseVersion;

/// An app: a name, an owner, and what should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Stays the same through renames and transfers.
    pub id: AppId,
    /// Unique on the platform.
    pub name: AppName,
    /// Whose it is.
    pub owner: AccountId,
    /// Accounts that may read, push, configure and scale; in the order of their addition.
    pub collaborators: Vec<AccountId>,
    /// Wanted counts and sizes.
    pub formation: Formation,
    /// The release that serves; `None` until the first one with a build has succeeded.
    pub serving: Option<ReleaseVersion>,
    /// The newest release number given out. Numbers only grow.
    pub last_version: ReleaseVersion,
    /// Whether the router answers with the maintenance page.
    pub maintenance: bool,
    /// Set once the first formation was made, so that an app scaled to zero stays at zero.
    pub scaled: bool,
    /// The buildpacks that clients of Heroku's have set, by URL. Kept for them; builds do not use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buildpacks: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
