//! Invitations: each lets one person register.

use std::time::Duration;

use ambo_model::{AccountId, Email, Secret, Timestamp};
use ambo_store::Transaction;
use serde::{Deserialize, Serialize};

use super::authorize::Caller;
use super::error::AccountError;
use super::{Accounts, layout, secret_code};
use crate::records::{get, json, list};

/// How long an invitation is good.
pub const INVITATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most invitations that wait to be used.
const INVITATIONS_MAX: usize = 1000;

/// An invitation, without its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The only address that may use it.
    pub email: Option<Email>,
    /// Who invited.
    pub by: AccountId,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl Accounts {
    /// Makes an invitation. The code is told this once.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is an administrator; `Limit`.
    pub async fn invitation_create(
        &self,
        caller: &Caller,
        email: Option<Email>,
        now: Timestamp,
    ) -> Result<(Invitation, Secret), AccountError> {
        caller.require_administrator()?;
        self.invitations_make_room(now).await?;
        let code = secret_code::generate("");
        let invitation = Invitation { email, by: caller.account, expires_at: now + INVITATION_LIFETIME };
        let key = layout::invitation(&secret_code::hash(&code));
        self.store.commit(Transaction::new().absent(key.clone()).put(key, json(&invitation))).await?;
        Ok((invitation, code))
    }

    async fn invitations_make_room(&self, now: Timestamp) -> Result<(), AccountError> {
        let mut waiting = 0;
        for found in list::<Invitation>(&*self.store, layout::INVITATIONS).await? {
            if found.value.expires_at <= now {
                self.store.commit(Transaction::new().delete(found.entry.key)).await?;
            } else {
                waiting += 1;
            }
        }
        if waiting >= INVITATIONS_MAX {
            return Err(AccountError::Limit(format!("{waiting} invitations wait to be used: let some expire first")));
        }
        Ok(())
    }

    /// A transaction's part that uses an invitation up.
    pub(super) async fn invitation_use(
        &self,
        code: &Secret,
        email: &Email,
        now: Timestamp,
    ) -> Result<Transaction, AccountError> {
        let key = layout::invitation(&secret_code::hash(code));
        let found = get::<Invitation>(&*self.store, &key).await?.ok_or(AccountError::InvitationUnknown)?;
        let for_them = found.value.email.as_ref().is_none_or(|invited| invited == email);
        if !for_them || found.value.expires_at <= now {
            return Err(AccountError::InvitationUnknown);
        }
        Ok(Transaction::new().unmodified(&found.entry).delete(key))
    }
}
