//! Accounts themselves: registration, look-up, change of password.

use ambo_model::{Account, AccountId, Email, Role, Secret, Timestamp};
use ambo_store::Transaction;
use serde::{Deserialize, Serialize};

use super::authorize::{Caller, TokenScope};
use super::error::AccountError;
use super::password::{Hash, check_length};
use super::platform_settings::RegistrationMode;
use super::token::TokenRequest;
use super::{Accounts, Token, layout};
use crate::records::{Found, get, json, list, replace, retry_conflicts};

/// An account as it lies in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AccountRecord {
    pub(super) account: Account,
    pub(super) password: Hash,
    pub(super) updated_at: Timestamp,
}

/// Who wants an account.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Secret,
    /// An invitation's code.
    pub invitation: Option<Secret>,
}

impl Accounts {
    /// Registers an account and gives it its first token. The first account of the platform is its administrator, and
    /// closes registration behind itself.
    ///
    /// # Errors
    /// When registration is closed or needs an invitation, the address is taken or the password too short.
    pub async fn account_register(
        &self,
        registration: Registration,
        now: Timestamp,
    ) -> Result<(Account, Token, Secret), AccountError> {
        check_length(&registration.password)?;
        // Before the costly hash: whoever may not register is told so at once.
        self.registration_admit(&registration, now).await?;
        let password = self.passwords.turn().await?.hash(&registration.password).await?;
        let account = retry_conflicts(async || {
            let (role, transaction) = self.registration_admit(&registration, now).await?;
            let email = registration.email.clone();
            if get::<AccountId>(&*self.store, &layout::account_email(&email)).await?.is_some() {
                return Err(AccountError::EmailTaken(email));
            }
            let account = Account { id: AccountId::new(), email, role, created_at: now };
            let record = AccountRecord { account: account.clone(), password: password.clone(), updated_at: now };
            let by_email = layout::account_email(&account.email);
            let transaction = transaction
                .absent(by_email.clone())
                .put(by_email, json(&account.id))
                .put(layout::account(account.id), json(&record));
            self.store.commit(transaction).await?;
            Ok(account)
        })
        .await?;
        tracing::info!(account = %account.email, role = ?account.role, "account registered");
        let request =
            TokenRequest { description: "Registration".to_owned(), scope: TokenScope::Global, expires_in: None };
        let (token, secret) = self.token_create(&Caller::of(&account), request, now).await?;
        Ok((account, token, secret))
    }

    /// Whether somebody may register; as which role, and what their transaction must demand.
    async fn registration_admit(
        &self,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<(Role, Transaction), AccountError> {
        if self.store.get(layout::FIRST_ACCOUNT).await?.is_none() {
            let mark = json(&registration.email);
            let first = Transaction::new().absent(layout::FIRST_ACCOUNT).put(layout::FIRST_ACCOUNT, mark);
            return Ok((Role::Administrator, first));
        }
        let transaction = match (self.platform_settings().await?.registration, &registration.invitation) {
            (RegistrationMode::Open, _) => Transaction::new(),
            (RegistrationMode::Closed, None) => return Err(AccountError::RegistrationClosed),
            (RegistrationMode::Invitation, None) => return Err(AccountError::InvitationNeeded),
            (RegistrationMode::Closed | RegistrationMode::Invitation, Some(code)) => {
                self.invitation_use(code, &registration.email, now).await?
            }
        };
        Ok((Role::Member, transaction))
    }

    /// Who may register now. Everybody, as long as there is no account.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn registration_mode(&self) -> Result<RegistrationMode, AccountError> {
        match self.store.get(layout::FIRST_ACCOUNT).await? {
            None => Ok(RegistrationMode::Open),
            Some(_) => Ok(self.platform_settings().await?.registration),
        }
    }

    /// The account with an id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account_by_id(&self, id: AccountId) -> Result<Option<Account>, AccountError> {
        Ok(self.account_record(id).await?.map(|found| found.value.account))
    }

    /// The account with an address.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account_by_email(&self, email: &Email) -> Result<Option<Account>, AccountError> {
        match get::<AccountId>(&*self.store, &layout::account_email(email)).await? {
            Some(id) => self.account_by_id(id.value).await,
            None => Ok(None),
        }
    }

    /// An account as a caller who may do all that it may.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn caller_by_id(&self, id: AccountId) -> Result<Option<Caller>, AccountError> {
        Ok(self.account_by_id(id).await?.as_ref().map(Caller::of))
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is an administrator.
    pub async fn account_list(&self, caller: &Caller) -> Result<Vec<Account>, AccountError> {
        caller.require_administrator()?;
        let records = list::<AccountRecord>(&*self.store, layout::ACCOUNTS).await?;
        Ok(records.into_iter().map(|found| found.value.account).collect())
    }

    /// Changes the caller's password and revokes all tokens but the one in use: whoever knew the old password is out.
    ///
    /// # Errors
    /// `LoginRefused` when the old password is wrong.
    pub async fn account_password_update(
        &self,
        caller: &Caller,
        password: &Secret,
        new: &Secret,
        now: Timestamp,
    ) -> Result<Account, AccountError> {
        caller.require_global()?;
        check_length(new)?;
        self.login(&caller.email, password, None, now).await?;
        let hash = self.passwords.turn().await?.hash(new).await?;
        let account = retry_conflicts(async || {
            let mut found = self.account_record(caller.account).await?.ok_or(AccountError::TokenUnknown)?;
            found.value.password.clone_from(&hash);
            found.value.updated_at = now;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, AccountError>(found.value.account)
        })
        .await?;
        self.tokens_revoke_but(caller.account, caller.token).await?;
        tracing::info!(account = %account.email, "password changed");
        Ok(account)
    }

    pub(super) async fn account_record(&self, id: AccountId) -> Result<Option<Found<AccountRecord>>, AccountError> {
        Ok(get(&*self.store, &layout::account(id)).await?)
    }
}
