//! What this station needs from the platform, and what it gives.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ambo_model::{AccountId, AppId, AppName, CommitId, Secret};
use async_trait::async_trait;
use tokio::sync::mpsc;

/// An authenticated account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whose key or token it was.
    pub account: AccountId,
    /// The only app that the token reaches; `None` when it reaches all that the account does.
    pub only: Option<AppId>,
}

/// Why nobody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefused {
    /// No such account or token, or not its password.
    #[error("wrong e-mail address, password or token: log in with `ambo login`")]
    Wrong,
    /// Too many failed before this one.
    #[error("too many failed logins: try again in {} seconds", .retry_after.as_secs().max(1))]
    Throttled {
        /// When to come back.
        retry_after: Duration,
    },
    /// The platform cannot answer now.
    #[error("the platform cannot check your login right now: try again in a moment")]
    Unavailable,
}

/// What somebody wants to do to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitAction {
    /// Clone, fetch.
    Fetch,
    /// Push.
    Push,
}

/// A repository that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its app.
    pub app: AppId,
    /// The app's name.
    pub app_name: AppName,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessDenied {
    /// No such app, or none that this account may see. The two are told apart to nobody.
    #[error("there is no app `{0}` that you have access to: check the name with `ambo apps`")]
    NotFound(String),
    /// The platform cannot answer now.
    #[error("the platform cannot check your access right now: try again in a moment")]
    Unavailable,
}

/// Who may do what.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// The account of an API token (HTTP Basic, the user name does not matter), or an e-mail address with its password.
    /// `peer` is where the request came from, so that those who guess can be slowed down.
    async fn account_by_password(
        &self,
        username: &str,
        password: &Secret,
        peer: Option<IpAddr>,
    ) -> Result<Caller, LoginRefused>;
    /// The account of an SSH public key, given in OpenSSH's one-line form without its comment: `ssh-ed25519 AAAA…`.
    async fn account_by_key(&self, public_key: &str) -> Option<Caller>;
    /// What to call an account when others read it, such as its e-mail address.
    async fn account_name(&self, _account: AccountId) -> Option<String> {
        None
    }
    /// The repository of an app, if the caller may do this to it.
    async fn authorize(&self, caller: Caller, app: &str, action: GitAction) -> Result<Repository, AccessDenied>;
}

/// A push that git has checked but not accepted yet.
#[derive(Debug)]
pub struct Push {
    /// The app.
    pub app: AppId,
    /// Who pushed.
    pub by: AccountId,
    /// What `main` will be.
    pub commit: CommitId,
    /// The commit's tree as a tar file, removed when this value is dropped by the receiver.
    pub archive: PathBuf,
}

/// Where a push's lines go, without line ends; the user sees them as `remote: …`.
pub type PushOutput = mpsc::Sender<String>;

/// Why a push was rejected. The text has been, or is, shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PushRejected(pub String);

/// What happens to a push.
#[async_trait]
pub trait PushReceiver: Send + Sync + 'static {
    /// Builds, releases and rolls out. The refs move when this returns `Ok`.
    ///
    /// # Cancel safety
    /// The future is dropped when the client leaves: that cancels the push.
    async fn push_receive(&self, push: Push, output: PushOutput) -> Result<(), PushRejected>;
}
