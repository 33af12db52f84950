//! What gitreceive asks of the platform: who may do what, and what a push does.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_gitreceive::{
    AccessDenied, Gate, GitAction, LoginRefused, Push, PushOutput, PushReceiver, PushRejected, Repository,
};
use ambo_model::{AccountId, BuildSource, Secret};
use async_trait::async_trait;

use crate::accounts::{AccountError, Caller, Permission, TokenScope};
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::progress::Progress;
use crate::push::Deploy;

/// The platform as gitreceive sees it.
#[derive(Debug, Clone)]
pub struct GitPlatform(pub Arc<Controller>);

#[async_trait]
impl Gate for GitPlatform {
    async fn account_by_password(
        &self,
        username: &str,
        password: &Secret,
        peer: Option<IpAddr>,
    ) -> Result<ambo_gitreceive::Caller, LoginRefused> {
        match self.0.accounts.caller_by_password(username, password, peer, self.0.now()).await {
            Ok(caller) => {
                let only = match caller.scope {
                    TokenScope::Deploy(app) => Some(app),
                    TokenScope::Global | TokenScope::Read | TokenScope::Identity => None,
                };
                Ok(ambo_gitreceive::Caller { account: caller.account, only })
            }
            Err(AccountError::Throttled { retry_after }) => Err(LoginRefused::Throttled { retry_after }),
            Err(AccountError::Busy) => Err(LoginRefused::Throttled { retry_after: Duration::from_secs(1) }),
            Err(error @ AccountError::Record(_)) => {
                tracing::error!(error = %chain(&error), "cannot check a login");
                Err(LoginRefused::Unavailable)
            }
            Err(_) => Err(LoginRefused::Wrong),
        }
    }

    async fn account_by_key(&self, public_key: &str) -> Option<ambo_gitreceive::Caller> {
        let account = self.0.accounts.account_by_key(public_key).await.ok()??;
        Some(ambo_gitreceive::Caller { account: account.id, only: None })
    }

    async fn account_name(&self, account: AccountId) -> Option<String> {
        let account = self.0.accounts.account_by_id(account).await.ok()??;
        Some(account.email.to_string())
    }

    async fn authorize(
        &self,
        caller: ambo_gitreceive::Caller,
        app: &str,
        action: GitAction,
    ) -> Result<Repository, AccessDenied> {
        let permission = match action {
            GitAction::Fetch => Permission::Read,
            GitAction::Push => Permission::Deploy,
        };
        let unavailable = |error: ControllerError| {
            tracing::error!(error = %chain(&error), "cannot check access to a repository");
            AccessDenied::Unavailable
        };
        let account = self.0.accounts.caller_by_id(caller.account).await.map_err(|error| unavailable(error.into()))?;
        let account = account.ok_or_else(|| AccessDenied::NotFound(app.to_owned()))?;
        let scope = caller.only.map_or(account.scope, TokenScope::Deploy);
        match self.0.app_find(&Caller { scope, ..account }, app, permission).await {
            Ok(app) => Ok(Repository { app: app.id, app_name: app.name }),
            Err(error @ ControllerError::Record(_)) => Err(unavailable(error)),
            Err(_) => Err(AccessDenied::NotFound(app.to_owned())),
        }
    }
}

#[async_trait]
impl PushReceiver for GitPlatform {
    async fn push_receive(&self, push: Push, output: PushOutput) -> Result<(), PushRejected> {
        let rejected = |error: &dyn std::error::Error| PushRejected(chain(error));
        let caller = self.0.accounts.caller_by_id(push.by).await.map_err(|error| rejected(&error))?;
        let caller = caller.ok_or_else(|| PushRejected("your account has gone".to_owned()))?;
        let source = BuildSource::Push { commit: push.commit };
        let deploy = Deploy::Source { archive: push.archive.clone(), source };
        let progress = Progress::to(output);
        match self.0.deploy(push.app, &caller, deploy, progress.clone()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                progress.failure(&error).await;
                progress.warning("Push rejected; what served before goes on serving.").await;
                Err(rejected(&error))
            }
        }
    }
}
