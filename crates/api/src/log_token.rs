//! The secret in the URL of a log session: what may be read and until when, signed.
//!
//! Nothing is kept for a session, and the key is derived from the platform's: a client whose stream breaks off as the control
//! plane restarts goes on with the same URL.

use ambo_controller::accounts::{AccountError, Caller, Permission};
use ambo_model::{AccountId, AppId, Timestamp, TokenId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::ApiError;
use crate::state::Api;

/// Bytes of the signature.
const SIGNATURE_BYTES: usize = 32;

/// What a log session may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogGrant {
    /// The session's id.
    pub(crate) id: Uuid,
    /// Who opened it. Whether they may still read is asked anew with every request.
    pub(crate) account: AccountId,
    /// With which token: it ends with that.
    pub(crate) token: Option<TokenId>,
    /// Of which app.
    pub(crate) app: AppId,
    /// Lines of the past.
    pub(crate) lines: u32,
    /// Whether new lines follow.
    pub(crate) tail: bool,
    /// Only of this process or instance.
    pub(crate) dyno: Option<String>,
    /// Only of this source.
    pub(crate) source: Option<String>,
    /// Until when requests are taken. A stream that has begun goes on.
    pub(crate) until: Timestamp,
}

impl LogGrant {
    /// Who opened it, if they may read the app still.
    pub(crate) async fn caller(&self, api: &Api) -> Result<Option<Caller>, ApiError> {
        let accounts = &api.controller.accounts;
        let caller = match self.token {
            Some(token) => match accounts.caller_by_token_id(self.account, token, api.now()).await {
                Err(AccountError::TokenUnknown) => None,
                caller => Some(caller?),
            },
            None => accounts.caller_by_id(self.account).await?,
        };
        let Some(caller) = caller else { return Ok(None) };
        let found = api.controller.app_find(&caller, &self.app.to_string(), Permission::Read).await;
        Ok(found.is_ok().then_some(caller))
    }
}

/// Signs and reads grants.
pub(crate) struct LogTokens {
    key: Zeroizing<[u8; SIGNATURE_BYTES]>,
}

impl std::fmt::Debug for LogTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogTokens([redacted])")
    }
}

impl LogTokens {
    pub(crate) fn new(key: Zeroizing<[u8; SIGNATURE_BYTES]>) -> Self {
        Self { key }
    }

    #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&*self.key).expect("HMAC takes keys of any length")
    }

    /// A grant as text for a URL.
    pub(crate) fn sign(&self, grant: &LogGrant) -> Result<String, serde_json::Error> {
        let payload = serde_json::to_vec(grant)?;
        let mut mac = self.mac();
        mac.update(&payload);
        Ok(URL_SAFE_NO_PAD.encode([mac.finalize().into_bytes().as_slice(), &payload].concat()))
    }

    /// The grant of a text, if we signed it and it is still good.
    pub(crate) fn read(&self, token: &str, now: Timestamp) -> Option<LogGrant> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signature, payload) = bytes.split_at_checked(SIGNATURE_BYTES)?;
        let mut mac = self.mac();
        mac.update(payload);
        mac.verify_slice(signature).ok()?;
        serde_json::from_slice::<LogGrant>(payload).ok().filter(|grant| grant.until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_our_own_unchanged_tokens_are_read_and_only_in_time() {
        let with_key = |byte| LogTokens::new(Zeroizing::new([byte; SIGNATURE_BYTES]));
        let (tokens, now) = (with_key(1), Timestamp::UNIX_EPOCH);
        let grant = LogGrant {
            id: Uuid::new_v4(),
            account: AccountId::new(),
            token: Some(TokenId::new()),
            app: AppId::new(),
            lines: 100,
            tail: true,
            dyno: Some("web".into()),
            source: None,
            until: now + Duration::from_secs(60),
        };
        let token = tokens.sign(&grant).unwrap();
        assert_eq!(tokens.read(&token, now), Some(grant));
        assert_eq!(tokens.read(&token, now + Duration::from_secs(60)), None);
        assert_eq!(with_key(1).read(&token, now), tokens.read(&token, now), "another process, the same platform");
        assert_eq!(with_key(2).read(&token, now), None);
        let mut forged = token.clone().into_bytes();
        let last = forged.len() - 3;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(tokens.read(&String::from_utf8(forged).unwrap(), now), None);
        for bad in ["", "x", "AAAA", "ä"] {
            assert_eq!(tokens.read(bad, now), None, "{bad}");
        }
    }
}
