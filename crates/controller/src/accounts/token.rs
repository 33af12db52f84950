//! API tokens.

use std::time::Duration;

use ambo_model::{AccountId, Secret, Timestamp, TokenId};
use ambo_store::{Operation, Transaction};
use serde::{Deserialize, Serialize};

use super::authorize::{Caller, TokenScope};
use super::error::AccountError;
use super::{Accounts, layout, secret_code};
use crate::records::{Found, get, json, list, replace};

/// What every token starts with, so that scanners find leaked ones.
pub(super) const TOKEN_PREFIX: &str = "ambo_";
/// Most tokens of one account.
const TOKENS_MAX: usize = 1000;
/// Longest lifetime that can be asked for, in seconds: ten years.
const LIFETIME_SECONDS_MAX: u64 = 10 * 366 * 24 * 3600;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// A token's last use is written down again after this long, so that requests cost no write.
const USE_NOTED_EVERY: Duration = Duration::from_secs(3600);

/// What somebody wants of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// What it is for, for people.
    pub description: String,
    /// What it may do.
    pub scope: TokenScope,
    /// Seconds that it lives; for ever when `None`.
    pub expires_in: Option<u64>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub account: AccountId,
    /// What it is for, for people.
    pub description: String,
    /// What it may do.
    pub scope: TokenScope,
    /// Head and tail of the secret.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// About when it was last used; to the hour.
    pub last_used_at: Option<Timestamp>,
}

impl Token {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

impl Accounts {
    /// Makes a token. The secret is told this once.
    ///
    /// # Errors
    /// `Lifetime` and `Limit`.
    pub async fn token_create(
        &self,
        caller: &Caller,
        request: TokenRequest,
        now: Timestamp,
    ) -> Result<(Token, Secret), AccountError> {
        caller.require_global()?;
        self.tokens_make_room(caller.account, now).await?;
        let secret = secret_code::generate(TOKEN_PREFIX);
        let token = Token {
            id: TokenId::new(),
            account: caller.account,
            description: description(&request.description),
            scope: request.scope,
            hint: secret_code::hint(&secret),
            created_at: now,
            expires_at: request.expires_in.map(|seconds| ends_at(now, seconds)).transpose()?,
            last_used_at: None,
        };
        let hash = secret_code::hash(&secret);
        let transaction = Transaction::new()
            .present(layout::account(caller.account))
            .absent(layout::token(&hash))
            .put(layout::token(&hash), json(&token))
            .put(layout::account_token(caller.account, token.id), json(&hash));
        self.store.commit(transaction).await?;
        Ok((token, secret))
    }

    /// Removes tokens that are over; refuses when there are still too many.
    async fn tokens_make_room(&self, account: AccountId, now: Timestamp) -> Result<(), AccountError> {
        let mut kept = 0;
        for found in self.token_records(account).await? {
            if found.value.is_over(now) {
                self.token_remove(&found).await?;
            } else {
                kept += 1;
            }
        }
        if kept >= TOKENS_MAX {
            let text =
                format!("you have {kept} API tokens: revoke some with `ambo tokens:revoke` before you make more");
            return Err(AccountError::Limit(text));
        }
        Ok(())
    }

    /// Who holds this token.
    ///
    /// # Errors
    /// `TokenUnknown` when there is none, or it is over.
    pub async fn caller_by_token(&self, secret: &Secret, now: Timestamp) -> Result<Caller, AccountError> {
        let key = layout::token(&secret_code::hash(secret));
        let mut found = get::<Token>(&*self.store, &key).await?.ok_or(AccountError::TokenUnknown)?;
        if found.value.is_over(now) {
            return Err(AccountError::TokenUnknown);
        }
        let account = self.account_by_id(found.value.account).await?.ok_or(AccountError::TokenUnknown)?;
        let noted = found.value.last_used_at.is_some_and(|at| now.duration_since(at) < seconds(USE_NOTED_EVERY));
        if !noted {
            found.value.last_used_at = Some(now);
            // Only a note: another request may have made it, and a full disk must not keep anybody out.
            if let Err(error) = self.store.commit(replace(Transaction::new(), &found)).await {
                tracing::debug!(%error, "a token's use was not noted");
            }
        }
        Ok(Caller { scope: found.value.scope, token: Some(found.value.id), ..Caller::of(&account) })
    }

    /// Who holds the token of this id, for what was given out to it earlier.
    ///
    /// # Errors
    /// `TokenUnknown` when the account has none such any more, or it is over.
    pub async fn caller_by_token_id(
        &self,
        account: AccountId,
        id: TokenId,
        now: Timestamp,
    ) -> Result<Caller, AccountError> {
        let account = self.account_by_id(account).await?.ok_or(AccountError::TokenUnknown)?;
        let caller = Caller::of(&account);
        let found = match self.token_record(&caller, id).await {
            Err(AccountError::NotFound(_)) => return Err(AccountError::TokenUnknown),
            found => found?,
        };
        if found.value.is_over(now) {
            return Err(AccountError::TokenUnknown);
        }
        Ok(Caller { scope: found.value.scope, token: Some(id), ..caller })
    }

    /// The caller's tokens, oldest first, without those that are over.
    ///
    /// # Errors
    /// `Forbidden` for lesser scopes.
    pub async fn token_list(&self, caller: &Caller, now: Timestamp) -> Result<Vec<Token>, AccountError> {
        caller.require_global()?;
        let records = self.token_records(caller.account).await?;
        Ok(records.into_iter().map(|found| found.value).filter(|token| !token.is_over(now)).collect())
    }

    /// One of the caller's tokens.
    ///
    /// # Errors
    /// `NotFound` when the caller has none such.
    pub async fn token_find(&self, caller: &Caller, id: TokenId) -> Result<Token, AccountError> {
        caller.require_global()?;
        Ok(self.token_record(caller, id).await?.value)
    }

    /// Describes one of the caller's tokens anew.
    ///
    /// # Errors
    /// `NotFound` when the caller has none such.
    pub async fn token_describe(&self, caller: &Caller, id: TokenId, text: &str) -> Result<Token, AccountError> {
        caller.require_global()?;
        let mut found = self.token_record(caller, id).await?;
        found.value.description = description(text);
        self.store.commit(replace(Transaction::new(), &found)).await?;
        Ok(found.value)
    }

    /// Gives one of the caller's tokens a new secret, which is told this once; the old one is good no longer.
    ///
    /// # Errors
    /// `NotFound` when the caller has none such.
    pub async fn token_rotate(&self, caller: &Caller, id: TokenId) -> Result<(Token, Secret), AccountError> {
        caller.require_global()?;
        let found = self.token_record(caller, id).await?;
        let secret = secret_code::generate(TOKEN_PREFIX);
        let token = Token { hint: secret_code::hint(&secret), last_used_at: None, ..found.value };
        let hash = secret_code::hash(&secret);
        let transaction = Transaction::new()
            .unmodified(&found.entry)
            .absent(layout::token(&hash))
            .delete(found.entry.key.clone())
            .put(layout::token(&hash), json(&token))
            .put(layout::account_token(caller.account, id), json(&hash));
        self.store.commit(transaction).await?;
        Ok((token, secret))
    }

    /// Revokes one of the caller's tokens, or the one in use whatever its scope.
    ///
    /// # Errors
    /// `NotFound` when the caller has none such.
    pub async fn token_revoke(&self, caller: &Caller, id: TokenId) -> Result<Token, AccountError> {
        if caller.token != Some(id) {
            caller.require_global()?;
        }
        let found = self.token_record(caller, id).await?;
        self.token_remove(&found).await?;
        Ok(found.value)
    }

    /// Revokes all tokens of an account but one.
    pub(super) async fn tokens_revoke_but(
        &self,
        account: AccountId,
        kept: Option<TokenId>,
    ) -> Result<(), AccountError> {
        for found in self.token_records(account).await? {
            if Some(found.value.id) != kept {
                self.token_remove(&found).await?;
            }
        }
        Ok(())
    }

    async fn token_record(&self, caller: &Caller, id: TokenId) -> Result<Found<Token>, AccountError> {
        let unknown = || AccountError::NotFound(format!("you have no API token `{id}`; see `ambo tokens`"));
        let hash = get::<String>(&*self.store, &layout::account_token(caller.account, id)).await?;
        let hash = hash.ok_or_else(unknown)?.value;
        get::<Token>(&*self.store, &layout::token(&hash)).await?.ok_or_else(unknown)
    }

    async fn token_records(&self, account: AccountId) -> Result<Vec<Found<Token>>, AccountError> {
        let mut tokens = Vec::new();
        for hash in list::<String>(&*self.store, &layout::account_tokens(account)).await? {
            tokens.extend(get::<Token>(&*self.store, &layout::token(&hash.value)).await?);
        }
        Ok(tokens)
    }

    async fn token_remove(&self, found: &Found<Token>) -> Result<(), AccountError> {
        let index = layout::account_token(found.value.account, found.value.id);
        let operations = [found.entry.key.clone(), index].map(|key| Operation::Delete { key }).to_vec();
        self.store.commit(Transaction { operations, ..Transaction::default() }).await?;
        Ok(())
    }
}

fn description(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(DESCRIPTION_CHARS_MAX).collect()
}

fn seconds(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::from_secs(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

fn ends_at(now: Timestamp, lifetime: u64) -> Result<Timestamp, AccountError> {
    let refused = AccountError::Lifetime { max: LIFETIME_SECONDS_MAX };
    if !(1..=LIFETIME_SECONDS_MAX).contains(&lifetime) {
        return Err(refused);
    }
    now.checked_add(seconds(Duration::from_secs(lifetime))).map_err(|_| refused)
}
