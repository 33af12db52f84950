//! The registry's own tokens: who, for what, until when, signed with HMAC-SHA256. Nothing about them is stored.

use std::fmt;
use std::time::Duration;

use ambo_model::{Secret, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::access::{Action, Principal};
use crate::name::RepositoryName;

/// Most scopes of one token.
pub const TOKEN_SCOPES_MAX: usize = 16;
/// Longest token that is looked at, in bytes.
pub(crate) const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Part of what is signed, so that a signature made with the same key for another purpose is none here.
const PURPOSE: &[u8] = b"ambo registry token 1\n";

/// The key that signs tokens. Tokens of another key are void, so a new key at every start only makes clients ask again.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// From 32 secret, random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key of this process alone.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        // Version 4 ids come from the system's random source; 122 bits of each are random.
        bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        bytes[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        Self(bytes)
    }

    fn mac(&self, payload: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(PURPOSE);
        mac.update(payload);
        Some(mac)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([redacted])")
    }
}

/// What a token allows in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) repository: RepositoryName,
    pub(crate) actions: Vec<Action>,
}

impl Scope {
    /// Parses `repository:<name>:<action>,<action>`. `None` for resources that are no repositories.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, actions) = text.strip_prefix("repository:")?.rsplit_once(':')?;
        let mut actions: Vec<Action> =
            actions.split(',').flat_map(|word| Action::parse(word.trim())).copied().collect();
        actions.sort();
        actions.dedup();
        Some(Self { repository: RepositoryName::parse(name).ok()?, actions })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions: Vec<&str> = self.actions.iter().map(|action| action.as_str()).collect();
        write!(f, "repository:{}:{}", self.repository, actions.join(","))
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) principal: Principal,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    sub: String,
    exp: i64,
    scopes: Vec<String>,
}

/// Why a token is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Not one of ours.
    Foreign,
    /// Was good once.
    Expired,
}

impl Claims {
    pub(crate) fn new(principal: Principal, scopes: Vec<Scope>, now: Timestamp, lifetime: Duration) -> Self {
        let expires_at = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        Self { principal, scopes, expires_at }
    }

    pub(crate) fn allows(&self, repository: &RepositoryName, action: Action) -> bool {
        self.scopes.iter().any(|scope| scope.repository == *repository && scope.actions.contains(&action))
    }

    /// `None` never happens with keys of 32 bytes.
    pub(crate) fn sign(&self, key: &TokenKey) -> Option<Secret> {
        let sub = match self.principal {
            Principal::Platform => "platform".to_owned(),
            Principal::Account(id) => id.to_string(),
        };
        let scopes = self.scopes.iter().map(ToString::to_string).collect();
        let payload = serde_json::to_vec(&Payload { sub, exp: self.expires_at.as_second(), scopes }).ok()?;
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let signature = URL_SAFE_NO_PAD.encode(key.mac(payload.as_bytes())?.finalize().into_bytes());
        Some(Secret::new(format!("{payload}.{signature}")))
    }

    pub(crate) fn verify(token: &str, key: &TokenKey, now: Timestamp) -> Result<Self, TokenError> {
        let payload = verified_payload(token, key).ok_or(TokenError::Foreign)?;
        let principal = match payload.sub.as_str() {
            "platform" => Principal::Platform,
            id => Principal::Account(id.parse().map_err(|_| TokenError::Foreign)?),
        };
        let expires_at = Timestamp::from_second(payload.exp).map_err(|_| TokenError::Foreign)?;
        if expires_at <= now {
            return Err(TokenError::Expired);
        }
        let scopes = payload.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
        Ok(Self { principal, scopes, expires_at })
    }
}

fn verified_payload(token: &str, key: &TokenKey) -> Option<Payload> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (payload, signature) = token.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    key.mac(payload.as_bytes())?.verify_slice(&signature).ok()?; // constant time
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::AccountId;

    fn claims(now: Timestamp) -> Claims {
        let scopes = vec![Scope::parse("repository:myapp/cache:push,pull").unwrap()];
        Claims::new(Principal::Account(AccountId::new()), scopes, now, Duration::from_secs(60))
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let (key, now) = (TokenKey::random(), Timestamp::from_second(1_800_000_000).unwrap());
        let claims = claims(now);
        let token = claims.sign(&key).unwrap();
        assert_eq!(Claims::verify(token.reveal(), &key, now), Ok(claims.clone()));
        let name = RepositoryName::parse("myapp/cache").unwrap();
        assert!(claims.allows(&name, Action::Push) && !claims.allows(&name, Action::Delete));
        assert!(!claims.allows(&RepositoryName::parse("myapp").unwrap(), Action::Pull));
        let late = now.checked_add(Duration::from_secs(60)).unwrap();
        assert_eq!(Claims::verify(token.reveal(), &key, late), Err(TokenError::Expired));
    }

    #[test]
    fn no_other_key_and_no_changed_byte_is_believed() {
        let (key, now) = (TokenKey::random(), Timestamp::from_second(1_800_000_000).unwrap());
        let token = claims(now).sign(&key).unwrap();
        assert_eq!(Claims::verify(token.reveal(), &TokenKey::random(), now), Err(TokenError::Foreign));
        for position in 0..token.reveal().len() {
            let mut bytes = token.reveal().as_bytes().to_vec();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(Claims::verify(&changed, &key, now).is_err(), "{changed}");
        }
        for bad in ["", ".", "a.b", "…"] {
            assert_eq!(Claims::verify(bad, &key, now), Err(TokenError::Foreign));
        }
    }

    #[test]
    fn scopes_of_other_resources_are_passed_over() {
        assert!(Scope::parse("registry:catalog:*").is_none());
        assert!(Scope::parse("repository:../x:pull").is_none());
        assert_eq!(Scope::parse("repository:a/b:*").unwrap().to_string(), "repository:a/b:pull,push,delete");
    }
}
