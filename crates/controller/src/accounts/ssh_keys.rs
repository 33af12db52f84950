//! SSH keys of accounts.

use ambo_model::{Account, AccountId, KeyId, Timestamp};
use ambo_store::{StoreError, Transaction};
use serde::{Deserialize, Serialize};

use super::authorize::Caller;
use super::error::AccountError;
use super::ssh_key::SshPublicKey;
use super::{Accounts, layout};
use crate::records::{get, json, list};

/// Most keys of one account.
const KEYS_MAX: usize = 200;

/// An SSH key of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKey {
    /// Its id.
    pub id: KeyId,
    /// Whose.
    pub account: AccountId,
    /// `SHA256:…`
    pub fingerprint: String,
    /// `ssh-ed25519 AAAA…`, without the comment.
    pub public_key: String,
    /// What its owner calls it.
    pub comment: String,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Accounts {
    /// Adds a key: a line of a `.pub` file.
    ///
    /// # Errors
    /// `SshKey` when it is no key that is accepted; `SshKeyAdded`, `SshKeyTaken`, `Limit`.
    pub async fn key_add(&self, caller: &Caller, line: &str, now: Timestamp) -> Result<SshKey, AccountError> {
        caller.require_global()?;
        let parsed = SshPublicKey::parse(line)?;
        if self.key_list(caller).await?.len() >= KEYS_MAX {
            return Err(AccountError::Limit(format!("an account has at most {KEYS_MAX} SSH keys: remove some first")));
        }
        let key = SshKey {
            id: KeyId::new(),
            account: caller.account,
            fingerprint: parsed.fingerprint(),
            public_key: parsed.line(),
            comment: parsed.comment.clone(),
            created_at: now,
        };
        let (hash, at) = (parsed.hash(), layout::key(&parsed.hash()));
        let transaction = Transaction::new()
            .present(layout::account(caller.account))
            .absent(at.clone())
            .put(at.clone(), json(&key))
            .put(layout::account_key(caller.account, key.id), json(&hash));
        match self.store.commit(transaction).await {
            Ok(_) => Ok(key),
            Err(StoreError::Conflict { key }) if key == at => Err(self.key_taken(caller, &at).await?),
            Err(error) => Err(error.into()),
        }
    }

    async fn key_taken(&self, caller: &Caller, at: &str) -> Result<AccountError, AccountError> {
        let owner = get::<SshKey>(&*self.store, at).await?.map(|found| found.value.account);
        Ok(if owner == Some(caller.account) { AccountError::SshKeyAdded } else { AccountError::SshKeyTaken })
    }

    /// The caller's keys, oldest first.
    ///
    /// # Errors
    /// `Forbidden` for lesser scopes.
    pub async fn key_list(&self, caller: &Caller) -> Result<Vec<SshKey>, AccountError> {
        caller.require_global()?;
        let mut keys = Vec::new();
        for hash in list::<String>(&*self.store, &layout::account_keys(caller.account)).await? {
            keys.extend(get::<SshKey>(&*self.store, &layout::key(&hash.value)).await?.map(|found| found.value));
        }
        Ok(keys)
    }

    /// One of the caller's keys, by id or fingerprint.
    ///
    /// # Errors
    /// `NotFound` when the caller has none such.
    pub async fn key_find(&self, caller: &Caller, key: &str) -> Result<SshKey, AccountError> {
        let shown: String = key.chars().filter(|c| !c.is_control()).take(80).collect();
        self.key_list(caller)
            .await?
            .into_iter()
            .find(|found| found.id.to_string() == key || found.fingerprint == key)
            .ok_or_else(|| AccountError::NotFound(format!("you have no SSH key `{shown}`; see `ambo keys`")))
    }

    /// Removes one of the caller's keys, by id or fingerprint.
    ///
    /// # Errors
    /// `NotFound` when the caller has none such.
    pub async fn key_remove(&self, caller: &Caller, key: &str) -> Result<SshKey, AccountError> {
        let found = self.key_find(caller, key).await?;
        let hash = SshPublicKey::parse(&found.public_key)?.hash();
        let transaction =
            Transaction::new().delete(layout::key(&hash)).delete(layout::account_key(caller.account, found.id));
        self.store.commit(transaction).await?;
        Ok(found)
    }

    /// The account of a key in OpenSSH's one-line form.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account_by_key(&self, line: &str) -> Result<Option<Account>, AccountError> {
        let Ok(parsed) = SshPublicKey::parse(line) else { return Ok(None) };
        match get::<SshKey>(&*self.store, &layout::key(&parsed.hash())).await? {
            Some(found) => self.account_by_id(found.value.account).await,
            None => Ok(None),
        }
    }
}
