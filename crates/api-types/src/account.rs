//! `/account`, `/ambo/accounts`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::{IdReference, NamedReference};
use crate::secret::Secret;

/// What an account may do beyond its own apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    /// Everything.
    Administrator,
    /// Own apps and those shared with it.
    Member,
}

/// An account. All fields but `role` are Heroku's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Its address.
    pub email: String,
    /// What it may do. Ours.
    pub role: AccountRole,
    /// Never; we track nobody.
    #[serde(default)]
    pub allow_tracking: bool,
    /// Never.
    #[serde(default)]
    pub beta: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Whether it logs in through somebody else.
    #[serde(default)]
    pub federated: bool,
    /// Through whom it logs in.
    pub identity_provider: Option<NamedReference>,
    /// When it last logged in, if known.
    pub last_login: Option<Timestamp>,
    /// The person's name.
    pub name: Option<String>,
    /// Telephone; never.
    pub sms_number: Option<String>,
    /// When it was suspended.
    pub suspended_at: Option<Timestamp>,
    /// Never; there are no bills.
    pub delinquent_at: Option<Timestamp>,
    /// Whether a second factor is asked for.
    #[serde(default)]
    pub two_factor_authentication: bool,
    /// Whether it may use the platform.
    #[serde(default)]
    pub verified: bool,
    /// Unknown.
    pub country_of_residence: Option<String>,
    /// None: there are no organizations.
    pub default_organization: Option<IdReference>,
    /// None: there are no teams.
    pub default_team: Option<IdReference>,
}

/// `PATCH /account`: a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountUpdate {
    /// The password so far.
    pub password: Option<Secret>,
    /// The password from now on.
    pub new_password: Option<Secret>,
}

/// `GET /account/rate-limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimit {
    /// Requests left.
    pub remaining: u32,
}
