//! Accounts: registration, passwords, API tokens, SSH keys, invitations; and who may do what.
//!
//! What is absent here: no secret in readable form. Passwords are hashed with argon2id; tokens and invitation codes are 256
//! random bits and lie in the store as their SHA-256, which is also their key, so that nothing secret is ever compared.

mod account;
mod authorize;
mod error;
mod invitation;
mod layout;
mod login;
mod password;
mod platform_settings;
mod secret_code;
mod ssh_key;
mod ssh_keys;
mod throttle;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

use ambo_model::Email;
use ambo_store::Store;

pub use account::Registration;
pub use authorize::{Caller, Permission, TokenScope, authorize};
pub use error::AccountError;
pub use invitation::{INVITATION_LIFETIME, Invitation};
pub use platform_settings::{PlatformSettings, PlatformSettingsUpdate, RegistrationMode};
pub use ssh_key::{SshKeyError, SshPublicKey};
pub use ssh_keys::SshKey;
pub use token::{Token, TokenRequest};

use password::Passwords;
use throttle::Throttle;

/// Everything about accounts.
pub struct Accounts {
    store: Arc<dyn Store>,
    passwords: Passwords,
    throttle_emails: Throttle<Email>,
    throttle_addresses: Throttle<IpAddr>,
    registration_default: RegistrationMode,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// The accounts in a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            passwords: Passwords::default(),
            throttle_emails: Throttle::for_emails(),
            throttle_addresses: Throttle::for_addresses(),
            registration_default: RegistrationMode::default(),
        }
    }

    /// Who may register as long as no administrator has said so.
    #[must_use]
    pub fn with_registration(self, mode: RegistrationMode) -> Self {
        Self { registration_default: mode, ..self }
    }
}

#[cfg(test)]
mod tests;
