//! The port through which the platform says who may do what.

use std::fmt;
use std::time::Duration;

use ambo_model::{AccountId, AppId, AppName, Secret};
use async_trait::async_trait;

/// The user name of the platform's own builders and engines; its password is in
/// [`Settings::platform_password`](crate::Settings::platform_password).
pub const PLATFORM_USERNAME: &str = "ambo";

/// What a client showed.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A name (an e-mail address) with a password or an API token.
    Basic {
        /// User name.
        username: String,
        /// Password or API token.
        password: Secret,
    },
    /// An API token alone. The registry's own tokens never get here.
    Bearer(Secret),
}

/// Who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// An account, whose rights depend on the app.
    Account(AccountId),
    /// The platform itself: its builders and engines. May pull and push everything that exists.
    Platform,
}

/// What they want to do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read blobs, manifests, tags and referrers.
    Pull,
    /// Write them.
    Push,
    /// Delete them.
    Delete,
}

impl Action {
    /// Its word in a token's scope.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    /// The actions that a scope's word stands for. `*` asks for all.
    #[must_use]
    pub fn parse(word: &str) -> &'static [Action] {
        match word {
            "pull" => &[Self::Pull],
            "push" => &[Self::Push],
            "delete" => &[Self::Delete],
            "*" => &[Self::Pull, Self::Push, Self::Delete],
            _ => &[],
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The app whose repositories a name leads to. Content is kept under the id, so renaming an app moves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepositoryOwner(pub AppId);

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The credentials are wrong, revoked or expired.
    #[error("the user name, password or token is wrong: log in with your e-mail address and an API token")]
    Unauthenticated,
    /// No such app, or none that the asker may know of.
    #[error("no such app, or you have no access to it")]
    NotFound,
    /// The asker may know of the app, but not do this.
    #[error("you may not do this: ask the app's owner for access")]
    Forbidden,
    /// Too many wrong passwords.
    #[error("too many failed logins: try again in {} seconds", .retry_after.as_secs().max(1))]
    Throttled {
        /// When to come back.
        retry_after: Duration,
    },
    /// The platform cannot tell now. Not the client's fault; a retry may help.
    #[error("access cannot be checked at the moment: try again")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Knows accounts and apps. Both methods are asked on every request, so a revoked token or a withdrawn access counts at
/// once; both must be quick and safe to call from many requests at a time.
#[async_trait]
pub trait RepositoryAccess: Send + Sync + 'static {
    /// Whose credentials these are. The platform's own credentials are known to the registry and never asked for here.
    async fn authenticate(&self, credentials: &Credentials) -> Result<AccountId, Denied>;

    /// Whether the principal may do the action on the app's repositories, and which app that is.
    async fn authorize(&self, principal: &Principal, app: &AppName, action: Action) -> Result<RepositoryOwner, Denied>;
}
