//! Who may use the registry: the rights on the app decide.

use std::sync::Arc;

use ambo_controller::accounts::{AccountError, Permission};
use ambo_controller::{Controller, ControllerError};
use ambo_model::{AccountId, AppName};
use ambo_registry::{Action, Credentials, Denied, Principal, RepositoryAccess, RepositoryOwner};
use async_trait::async_trait;

/// The platform as the registry sees it.
#[derive(Debug)]
pub(crate) struct RegistryAccess(pub(crate) Arc<Controller>);

#[async_trait]
impl RepositoryAccess for RegistryAccess {
    async fn authenticate(&self, credentials: &Credentials) -> Result<AccountId, Denied> {
        let accounts = &self.0.accounts;
        let now = self.0.now();
        let caller = match credentials {
            Credentials::Basic { username, password } => {
                accounts.caller_by_password(username, password, None, now).await
            }
            Credentials::Bearer(token) => accounts.caller_by_password("", token, None, now).await,
        };
        let caller = caller.map_err(denied)?;
        // What is logged in from here on is the whole account.
        caller.require_global().map_err(denied)?;
        Ok(caller.account)
    }

    async fn authorize(&self, principal: &Principal, app: &AppName, action: Action) -> Result<RepositoryOwner, Denied> {
        let unavailable = |error: ControllerError| Denied::Unavailable(Box::new(error));
        let account = match principal {
            Principal::Platform => {
                return self.0.app_id(app).await.map_err(unavailable)?.map(RepositoryOwner).ok_or(Denied::NotFound);
            }
            Principal::Account(account) => *account,
        };
        let permission = match action {
            Action::Pull => Permission::Read,
            Action::Push => Permission::Deploy,
            Action::Delete => Permission::Manage,
        };
        let caller = self.0.accounts.caller_by_id(account).await.map_err(|error| unavailable(error.into()))?;
        let caller = caller.ok_or(Denied::Unauthenticated)?;
        match self.0.app_find(&caller, app.as_str(), permission).await {
            Ok(app) => Ok(RepositoryOwner(app.id)),
            Err(ControllerError::NotFound(_)) => Err(Denied::NotFound),
            Err(ControllerError::Forbidden(_)) => Err(Denied::Forbidden),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn denied(error: AccountError) -> Denied {
    match error {
        AccountError::Record(_) => Denied::Unavailable(Box::new(error)),
        AccountError::Throttled { retry_after } => Denied::Throttled { retry_after },
        _ => Denied::Unauthenticated,
    }
}
