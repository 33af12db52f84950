//! Login: from a password or token to the account behind it.

use std::net::IpAddr;

use ambo_model::{Account, AccountId, Email, Secret, Timestamp};

use super::authorize::{Caller, TokenScope};
use super::error::AccountError;
use super::throttle::address_key;
use super::token::TOKEN_PREFIX;
use super::{Accounts, layout};
use crate::records::get;

impl Accounts {
    /// The account of an address and its password. Failures slow down further attempts for the same account and from the
    /// same network address.
    ///
    /// # Errors
    /// `LoginRefused` without saying which of the two is wrong; `Throttled`; `Busy`.
    pub async fn login(
        &self,
        email: &Email,
        password: &Secret,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Account, AccountError> {
        let address = peer.and_then(address_key);
        // Checked with the turn in hand, so that attempts sent side by side do not all slip through before the first fails.
        let turn = self.passwords.turn().await?;
        let waits =
            [self.throttle_emails.wait(email, now), address.and_then(|a| self.throttle_addresses.wait(&a, now))];
        if let Some(retry_after) = waits.into_iter().flatten().max() {
            return Err(AccountError::Throttled { retry_after });
        }
        let record = match get::<AccountId>(&*self.store, &layout::account_email(email)).await? {
            Some(id) => self.account_record(id.value).await?.map(|found| found.value),
            None => None,
        };
        let right = turn.verify(password, record.as_ref().map(|record| &record.password)).await?;
        if let (true, Some(record)) = (right, record) {
            self.throttle_emails.succeeded(email);
            return Ok(record.account);
        }
        self.throttle_emails.failed(email, now);
        if let Some(address) = address {
            self.throttle_addresses.failed(&address, now);
        }
        tracing::info!(account = %email, ?peer, "login refused");
        Err(AccountError::LoginRefused)
    }

    /// For HTTP Basic on git and the registry: an API token as password, whoever the user is; or address and password.
    /// What it is used for is not known yet, so a token must have the scope `global`, or `deploy`: who takes the latter has to
    /// heed its app.
    ///
    /// # Errors
    /// As [`Accounts::login`] and [`Accounts::caller_by_token`].
    pub async fn caller_by_password(
        &self,
        username: &str,
        password: &Secret,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Caller, AccountError> {
        if password.reveal().starts_with(TOKEN_PREFIX) {
            let caller = self.caller_by_token(password, now).await?;
            return match caller.scope {
                TokenScope::Global | TokenScope::Deploy(_) => Ok(caller),
                TokenScope::Read | TokenScope::Identity => Err(AccountError::TokenUnknown),
            };
        }
        let email = Email::parse(username).map_err(|_| AccountError::LoginRefused)?;
        Ok(Caller::of(&self.login(&email, password, peer, now).await?))
    }
}
