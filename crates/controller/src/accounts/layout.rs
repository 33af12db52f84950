//! Where accounts and what belongs to them stand in the store.

use ambo_model::{AccountId, Email, KeyId, TokenId};

/// All accounts.
pub(super) const ACCOUNTS: &str = "accounts/";
/// All invitations.
pub(super) const INVITATIONS: &str = "invitations/";
/// Present once the platform has an administrator.
pub(super) const FIRST_ACCOUNT: &str = "settings/first-account";
/// The platform's settings that can change while it runs.
pub(super) const PLATFORM: &str = "settings/platform";

/// An account.
pub(super) fn account(id: AccountId) -> String {
    format!("{ACCOUNTS}{id}")
}

/// The account that has an address.
pub(super) fn account_email(email: &Email) -> String {
    format!("account-emails/{email}")
}

/// A token, by its SHA-256 in hex.
pub(super) fn token(hash: &str) -> String {
    format!("tokens/{hash}")
}

/// All tokens of an account, oldest first.
pub(super) fn account_tokens(account: AccountId) -> String {
    format!("account-tokens/{account}/")
}

/// The hash of a token of an account.
pub(super) fn account_token(account: AccountId, id: TokenId) -> String {
    format!("account-tokens/{account}/{id}")
}

/// An SSH key, by the SHA-256 of its blob in hex.
pub(super) fn key(hash: &str) -> String {
    format!("keys/{hash}")
}

/// All SSH keys of an account, oldest first.
pub(super) fn account_keys(account: AccountId) -> String {
    format!("account-keys/{account}/")
}

/// The hash of an SSH key of an account.
pub(super) fn account_key(account: AccountId, id: KeyId) -> String {
    format!("account-keys/{account}/{id}")
}

/// An invitation, by its code's SHA-256 in hex.
pub(super) fn invitation(hash: &str) -> String {
    format!("{INVITATIONS}{hash}")
}
