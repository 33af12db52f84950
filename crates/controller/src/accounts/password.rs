//! Passwords: argon2id with its defaults (19 MiB, two passes), a bounded number at once.

use ambo_model::Secret;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::AccountError;

/// Fewest characters of a password.
pub(super) const PASSWORD_CHARS_MIN: usize = 8;
/// Most characters of a password.
pub(super) const PASSWORD_CHARS_MAX: usize = 256;
/// Hashes computed side by side; each takes 19 MiB.
const HASHES_SIDE_BY_SIDE_MAX: usize = 2;
/// Logins that wait for their turn; more are refused.
const HASHES_WAITING_MAX: usize = 64;

/// A password's hash, in PHC form.
pub(super) type Hash = String;

/// Computes hashes in turn.
#[derive(Debug)]
pub(super) struct Passwords {
    side_by_side: Semaphore,
    waiting: Semaphore,
}

/// The right to compute one hash.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _running: SemaphorePermit<'a>,
    _waiting: SemaphorePermit<'a>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            side_by_side: Semaphore::new(HASHES_SIDE_BY_SIDE_MAX),
            waiting: Semaphore::new(HASHES_SIDE_BY_SIDE_MAX + HASHES_WAITING_MAX),
        }
    }
}

impl Passwords {
    /// Waits for the right to compute a hash.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, AccountError> {
        let waiting = self.waiting.try_acquire().map_err(|_| AccountError::Busy)?;
        let running = self.side_by_side.acquire().await.map_err(|_| AccountError::Busy)?;
        Ok(Turn { _running: running, _waiting: waiting })
    }
}

impl Turn<'_> {
    /// Hashes a new password.
    pub(super) async fn hash(&self, password: &Secret) -> Result<Hash, AccountError> {
        check_length(password)?;
        let password = password.clone();
        blocking(move || {
            let hash = Argon2::default().hash_password(password.reveal().as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| AccountError::Hash(error.to_string()))
        })
        .await
    }

    /// Compares a password with its hash. Without a hash the same time is spent, and the answer is no: how long a refusal
    /// takes does not tell whether there is such an account.
    pub(super) async fn verify(&self, password: &Secret, hash: Option<&Hash>) -> Result<bool, AccountError> {
        if password.reveal().chars().count() > PASSWORD_CHARS_MAX {
            return Ok(false);
        }
        let (password, hash) = (password.clone(), hash.cloned());
        blocking(move || match hash {
            Some(hash) => {
                let hash = PasswordHash::new(&hash).map_err(|error| AccountError::Hash(error.to_string()))?;
                Ok(Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok())
            }
            None => {
                let spent = Argon2::default().hash_password(password.reveal().as_bytes());
                spent.map(|_| false).map_err(|error| AccountError::Hash(error.to_string()))
            }
        })
        .await
    }
}

/// Checks a new password.
pub(super) fn check_length(password: &Secret) -> Result<(), AccountError> {
    let chars = password.reveal().chars().count();
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    Err(AccountError::PasswordLength { chars, min: PASSWORD_CHARS_MIN, max: PASSWORD_CHARS_MAX })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
) -> Result<T, AccountError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(AccountError::Hash(error.to_string())),
    }
}
