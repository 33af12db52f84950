//! What goes wrong with accounts.

use std::time::Duration;

use ambo_model::Email;
use ambo_store::StoreError;

use super::ssh_key::SshKeyError;
use crate::records::{MaybeConflict, RecordError};

/// Why an operation on accounts was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The token does not exist, has ended or was revoked.
    #[error("the API token is unknown, revoked or expired: log in again with `ambo login`")]
    TokenUnknown,
    /// Which of the two is wrong is told to nobody.
    #[error("the e-mail address or the password is wrong")]
    LoginRefused,
    /// Too many wrong passwords.
    #[error("too many failed logins: try again in {} s", retry_after.as_secs().max(1))]
    Throttled {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many logins at once.
    #[error("too many logins at once: try again in a moment")]
    Busy,
    /// Nobody may register.
    #[error("registration is closed: ask an administrator for an invitation (`ambo invitations:create`)")]
    RegistrationClosed,
    /// An invitation is missing.
    #[error("registration needs an invitation: ask an administrator for a code and hand it in with `--invitation`")]
    InvitationNeeded,
    /// The invitation does not exist, was used, has ended or is somebody else's.
    #[error("the invitation is unknown, used or expired, or is for another e-mail address: ask for a new one")]
    InvitationUnknown,
    /// There is such an account already.
    #[error("there is an account with the address `{0}` already: log in with `ambo login`")]
    EmailTaken(Email),
    /// The password is too short or too long.
    #[error("the password has {chars} characters: use {min} to {max}")]
    PasswordLength {
        /// How many it has.
        chars: usize,
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// A scope that no token has.
    #[error("`{0}` is no scope: use `global`, `read` or `identity`")]
    Scope(String),
    /// The lifetime makes no sense.
    #[error("`expires_in` is a number of seconds from 1 to {max}")]
    Lifetime {
        /// At most.
        max: u64,
    },
    /// The SSH key cannot be used.
    #[error(transparent)]
    SshKey(#[from] SshKeyError),
    /// The caller has added this key already.
    #[error("you have added this SSH key already; see `ambo keys`")]
    SshKeyAdded,
    /// Another account has this key.
    #[error("this SSH key belongs to another account: remove it there, or make a new one with `ssh-keygen -t ed25519`")]
    SshKeyTaken,
    /// There is no such thing of the caller's.
    #[error("{0}")]
    NotFound(String),
    /// The caller may not.
    #[error("{0}")]
    Forbidden(String),
    /// There are too many already, or a value is out of bounds.
    #[error("{0}")]
    Limit(String),
    /// Hashing a password failed.
    #[error("hash a password: {0}")]
    Hash(String),
    /// The state store.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Record(error.into())
    }
}

impl MaybeConflict for AccountError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Record(error) if error.is_conflict())
    }
}
