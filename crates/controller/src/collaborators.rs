//! Collaborators: accounts that an app is shared with.

use ambo_model::{Account, App, Email, Timestamp};
use ambo_store::Transaction;

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::records::{replace, retry_conflicts};

/// Most collaborators of one app.
pub const COLLABORATORS_MAX: usize = 500;

impl Controller {
    /// The owner and everybody that the app is shared with.
    ///
    /// # Errors
    /// When the app is not the caller's to see.
    pub async fn collaborator_list(&self, caller: &Caller, app: &str) -> Result<(App, Vec<Account>), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let mut accounts = Vec::new();
        for id in std::iter::once(&app.owner).chain(&app.collaborators) {
            accounts.extend(self.accounts.account_by_id(*id).await?);
        }
        Ok((app, accounts))
    }

    /// Shares an app. Sharing twice is no error.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub async fn collaborator_add(
        &self,
        caller: &Caller,
        app: &str,
        email: &Email,
        now: Timestamp,
    ) -> Result<(App, Account), ControllerError> {
        self.app_find(caller, app, Permission::Manage).await?;
        let id = self.account_id(email).await?;
        let app = retry_conflicts(|| async {
            let mut found = self.app_find_record(caller, app, Permission::Manage).await?;
            let app = &mut found.value;
            if app.owner == id || app.collaborators.contains(&id) {
                return Ok(found.value);
            }
            if app.collaborators.len() >= COLLABORATORS_MAX {
                return Err(ControllerError::Invalid(format!("an app has at most {COLLABORATORS_MAX} collaborators")));
            }
            app.collaborators.push(id);
            app.updated_at = now;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            self.log(found.value.id, "api", format!("Add {email} as collaborator by user {}", caller.email));
            Ok::<_, ControllerError>(found.value)
        })
        .await?;
        let account = self.accounts.account_by_id(id).await?;
        let account = account.ok_or_else(|| ControllerError::NotFound(format!("there is no account `{email}`")))?;
        Ok((app, account))
    }

    /// Ends the sharing. Collaborators may remove themselves.
    ///
    /// # Errors
    /// `NotFound` when the app is not shared with that account.
    pub async fn collaborator_remove(
        &self,
        caller: &Caller,
        app: &str,
        email: &Email,
        now: Timestamp,
    ) -> Result<(App, Account), ControllerError> {
        let permission = if caller.email == *email { Permission::Read } else { Permission::Manage };
        self.app_find(caller, app, permission).await?;
        let unknown = || ControllerError::NotFound(format!("the app is not shared with `{email}`; see `ambo access`"));
        let account = self.accounts.account_by_email(email).await?.ok_or_else(unknown)?;
        let app = retry_conflicts(|| async {
            let mut found = self.app_find_record(caller, app, permission).await?;
            let before = found.value.collaborators.len();
            found.value.collaborators.retain(|id| *id != account.id);
            if found.value.collaborators.len() == before {
                return Err(unknown());
            }
            found.value.updated_at = now;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>(found.value)
        })
        .await?;
        self.log(app.id, "api", format!("Remove {email} as collaborator by user {}", caller.email));
        Ok((app, account))
    }
}
