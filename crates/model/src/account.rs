//! People who use the platform.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::name::Email;

/// What an account may do beyond its own apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything on every app, and the platform itself.
    Administrator,
    /// Own apps and those shared with it.
    Member,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its address, unique on the platform.
    pub email: Email,
    /// What it may do.
    pub role: Role,
    /// When it was registered.
    pub created_at: Timestamp,
}
