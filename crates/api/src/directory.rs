//! From account ids to what clients are shown of accounts; each is looked up once per request.

use std::collections::HashMap;

use ambo_api_types::UserReference;
use ambo_controller::accounts::Accounts;
use ambo_model::AccountId;

use crate::error::ApiError;
use crate::state::Api;

/// The accounts that a request has met.
#[derive(Debug)]
pub(crate) struct Directory<'a> {
    accounts: &'a Accounts,
    met: HashMap<AccountId, String>,
}

impl<'a> Directory<'a> {
    /// One that has met nobody.
    pub(crate) fn new(api: &'a Api) -> Self {
        Self { accounts: &api.controller.accounts, met: HashMap::new() }
    }

    /// An account by its id. One that has gone is still named, by a text that is no address.
    pub(crate) async fn user(&mut self, id: AccountId) -> Result<UserReference, ApiError> {
        if !self.met.contains_key(&id) {
            let account = self.accounts.account_by_id(id).await?;
            let email = account.map_or_else(|| "(unknown)".to_owned(), |account| account.email.to_string());
            self.met.insert(id, email);
        }
        Ok(UserReference { id: id.uuid(), email: self.met.get(&id).cloned().unwrap_or_default() })
    }
}
