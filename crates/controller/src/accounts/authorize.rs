//! Who may do what.

use ambo_model::{Account, AccountId, App, AppId, Email, Role, TokenId};
use serde::{Deserialize, Serialize};

use super::error::AccountError;
use crate::error::ControllerError;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// Everything that its account may.
    Global,
    /// Work on one app, and know of no other: for continuous integration.
    Deploy(AppId),
    /// Look at apps, but not at their config.
    Read,
    /// Say whose it is, nothing else.
    Identity,
}

impl TokenScope {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TokenScope::Global => "global",
            TokenScope::Deploy(_) => "deploy",
            TokenScope::Read => "read",
            TokenScope::Identity => "identity",
        }
    }

    /// Reads a name. That of `Deploy` needs an app beside it, so it is not read here.
    ///
    /// # Errors
    /// When there is no such scope.
    pub fn parse(text: &str) -> Result<Self, AccountError> {
        [TokenScope::Global, TokenScope::Read, TokenScope::Identity]
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| AccountError::Scope(text.chars().filter(|c| !c.is_control()).take(40).collect()))
    }

    /// Whether it reaches this app at all.
    fn reaches(self, app: AppId) -> bool {
        !matches!(self, TokenScope::Deploy(only) if only != app)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// Its address, for log lines.
    pub email: Email,
    /// What it may do.
    pub role: Role,
    /// What the token may do of that.
    pub scope: TokenScope,
    /// The token, when there is one.
    pub token: Option<TokenId>,
}

impl Caller {
    /// The account itself, with all that it may do.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        Self {
            account: account.id,
            email: account.email.clone(),
            role: account.role,
            scope: TokenScope::Global,
            token: None,
        }
    }

    /// Demands a token that may do everything.
    ///
    /// # Errors
    /// `Forbidden` for lesser scopes.
    pub fn require_global(&self) -> Result<(), AccountError> {
        match self.scope {
            TokenScope::Global => Ok(()),
            scope => Err(AccountError::Forbidden(format!(
                "this API token has the scope `{}`: use one with `global`",
                scope.as_str()
            ))),
        }
    }

    /// Demands an administrator.
    ///
    /// # Errors
    /// `Forbidden` for everybody else.
    pub fn require_administrator(&self) -> Result<(), AccountError> {
        self.require_global()?;
        self.require_administrators_account()
    }

    /// Demands an administrator, whose token need not be good for more than looking.
    ///
    /// # Errors
    /// `Forbidden` for everybody else.
    pub fn require_administrator_to_read(&self) -> Result<(), AccountError> {
        if self.scope != TokenScope::Read {
            self.require_global()?;
        }
        self.require_administrators_account()
    }

    fn require_administrators_account(&self) -> Result<(), AccountError> {
        match self.role {
            Role::Administrator => Ok(()),
            Role::Member => Err(AccountError::Forbidden("only an administrator may do this".to_owned())),
        }
    }
}

/// What somebody wants to do to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Look at it: instances, releases, logs, domains; not the config.
    Read,
    /// Work on it: push, config, scale, run, restart, domains.
    Deploy,
    /// Decide over it: rename, transfer, share, destroy.
    Manage,
}

/// How an account stands to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Owner,
    Collaborator,
    Stranger,
}

fn standing(caller: &Caller, app: &App) -> Standing {
    if !caller.scope.reaches(app.id) {
        Standing::Stranger
    } else if app.owner == caller.account || caller.role == Role::Administrator {
        Standing::Owner
    } else if app.collaborators.contains(&caller.account) {
        Standing::Collaborator
    } else {
        Standing::Stranger
    }
}

/// Whether the caller may do this to the app.
///
/// # Errors
/// `NotFound` for strangers, who are not to learn that the app exists; `Forbidden` for those who may see it.
pub fn authorize(caller: &Caller, app: &App, permission: Permission) -> Result<(), ControllerError> {
    if standing(caller, app) == Standing::Stranger {
        let text = format!("Couldn't find that app: there is no `{}` that you have access to", app.name);
        return Err(ControllerError::NotFound(text));
    }
    match (caller.scope, permission) {
        (TokenScope::Global, _)
        | (TokenScope::Deploy(_), Permission::Read | Permission::Deploy)
        | (TokenScope::Read, Permission::Read) => {}
        (TokenScope::Deploy(_) | TokenScope::Read | TokenScope::Identity, _) => caller.require_global()?,
    }
    match (standing(caller, app), permission) {
        (Standing::Owner, _) | (Standing::Collaborator, Permission::Read | Permission::Deploy) => Ok(()),
        (Standing::Collaborator | Standing::Stranger, _) => Err(ControllerError::Forbidden(format!(
            "only the owner of {} or an administrator may do this: ask them, or have the app transferred to you",
            app.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::{AppId, AppName, Formation, ReleaseVersion, Timestamp};

    fn caller(role: Role, scope: TokenScope) -> Caller {
        let email = Email::parse("a@example.com").unwrap();
        Caller { account: AccountId::new(), email, role, scope, token: None }
    }

    fn app(owner: AccountId, collaborator: AccountId) -> App {
        App {
            id: AppId::new(),
            name: AppName::parse("photos").unwrap(),
            owner,
            collaborators: vec![collaborator],
            formation: Formation::default(),
            serving: None,
            last_version: ReleaseVersion(1),
            maintenance: false,
            scaled: false,
            buildpacks: Vec::new(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_matrix_of_standings_and_permissions() {
        let (owner, collaborator) =
            (caller(Role::Member, TokenScope::Global), caller(Role::Member, TokenScope::Global));
        let (stranger, administrator) =
            (caller(Role::Member, TokenScope::Global), caller(Role::Administrator, TokenScope::Global));
        let app = app(owner.account, collaborator.account);
        for permission in [Permission::Read, Permission::Deploy, Permission::Manage] {
            assert!(authorize(&owner, &app, permission).is_ok());
            assert!(authorize(&administrator, &app, permission).is_ok());
            assert!(matches!(authorize(&stranger, &app, permission), Err(ControllerError::NotFound(_))));
        }
        assert!(authorize(&collaborator, &app, Permission::Read).is_ok());
        assert!(authorize(&collaborator, &app, Permission::Deploy).is_ok());
        assert!(matches!(authorize(&collaborator, &app, Permission::Manage), Err(ControllerError::Forbidden(_))));
    }

    #[test]
    fn a_token_may_do_no_more_than_its_scope() {
        let mut owner = caller(Role::Member, TokenScope::Read);
        let app = app(owner.account, AccountId::new());
        assert!(authorize(&owner, &app, Permission::Read).is_ok());
        assert!(authorize(&owner, &app, Permission::Deploy).is_err());
        owner.scope = TokenScope::Identity;
        assert!(authorize(&owner, &app, Permission::Read).is_err());
        owner.role = Role::Administrator;
        assert!(owner.require_administrator().is_err());
    }

    #[test]
    fn a_deploy_token_works_on_its_own_app_and_decides_over_none() {
        let app = app(AccountId::new(), AccountId::new());
        let mut caller = caller(Role::Administrator, TokenScope::Deploy(app.id));
        assert!(authorize(&caller, &app, Permission::Deploy).is_ok());
        assert!(matches!(authorize(&caller, &app, Permission::Manage), Err(ControllerError::Account(_))));
        caller.scope = TokenScope::Deploy(AppId::new());
        assert!(matches!(authorize(&caller, &app, Permission::Read), Err(ControllerError::NotFound(_))));
    }
}
