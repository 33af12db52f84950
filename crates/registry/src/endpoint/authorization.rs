//! Who is asking, and may they?

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, HeaderMap};
use http::request::Parts;
use http::uri::Authority;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use ambo_model::{Secret, Timestamp};

use crate::access::{Action, Credentials, Denied, PLATFORM_USERNAME, Principal, RepositoryOwner};
use crate::error::Error;
use crate::layout::Repository;
use crate::name::RepositoryName;
use crate::registry::Inner;
use crate::token::{Claims, TokenError};

/// The name that tokens are asked for under.
pub(super) const SERVICE: &str = "ambo";

/// Who is asking; with the claims when they showed one of our tokens, which limits them to its scopes.
pub(super) struct Identity {
    pub(super) principal: Principal,
    claims: Option<Claims>,
}

impl Inner {
    /// Finds out who is asking; nobody is turned away with the way to log in.
    pub(super) async fn identify(&self, request: &Parts) -> Result<Identity, Error> {
        self.identify_for(request, None).await
    }

    /// Lets the asker at the repository, or says why not.
    pub(super) async fn authorize(
        &self,
        request: &Parts,
        name: &RepositoryName,
        action: Action,
    ) -> Result<Repository, Error> {
        let identity = self.identify_for(request, Some((name, action))).await?;
        let owner = self.owner(&identity.principal, name, action).await?;
        // After the check of what the account may do, whose refusals tell the user more.
        if identity.claims.is_some_and(|claims| !claims.allows(name, action)) {
            let challenge = format!("{},error=\"insufficient_scope\"", self.challenge(request, Some((name, action))));
            let message = format!("the token does not allow `{action}` on `{name}`");
            return Err(Error::Unauthorized { challenge, message });
        }
        Ok(Repository { app: owner.0, path: name.path().to_owned() })
    }

    /// As [`Self::authorize`], for a second repository that the request names: `None` when it is out of reach.
    pub(super) async fn authorize_source(&self, request: &Parts, name: &RepositoryName) -> Option<Repository> {
        self.authorize(request, name, Action::Pull).await.ok()
    }

    /// What the platform says about the principal and the app that the name starts with.
    pub(super) async fn owner(
        &self,
        principal: &Principal,
        name: &RepositoryName,
        action: Action,
    ) -> Result<RepositoryOwner, Error> {
        let unknown = || Error::NameUnknown(name.clone());
        let app = name.app().ok_or_else(unknown)?;
        self.access.authorize(principal, &app, action).await.map_err(|denied| match denied {
            Denied::NotFound => unknown(),
            other => refusal(other, None),
        })
    }

    async fn identify_for(
        &self,
        request: &Parts,
        wanted: Option<(&RepositoryName, Action)>,
    ) -> Result<Identity, Error> {
        let challenge = || self.challenge(request, wanted);
        let Some(credentials) = credentials(&request.headers) else {
            let message = "log in first: your e-mail address and an API token".to_owned();
            return Err(Error::Unauthorized { challenge: challenge(), message });
        };
        if let Credentials::Bearer(token) = &credentials {
            match Claims::verify(token.reveal(), &self.settings.token_key, Timestamp::now()) {
                Ok(claims) => return Ok(Identity { principal: claims.principal, claims: Some(claims) }),
                Err(TokenError::Expired) => {
                    let challenge = format!("{},error=\"invalid_token\"", challenge());
                    return Err(Error::Unauthorized { challenge, message: "the token has expired".to_owned() });
                }
                Err(TokenError::Foreign) => {}
            }
        }
        let principal = self.log_in(&credentials).await.map_err(|denied| refusal(denied, Some(challenge())))?;
        Ok(Identity { principal, claims: None })
    }

    /// Whose credentials these are.
    pub(super) async fn log_in(&self, credentials: &Credentials) -> Result<Principal, Denied> {
        if let Credentials::Basic { username, password } = credentials
            && username == PLATFORM_USERNAME
        {
            let expected = self.settings.platform_password.as_ref().ok_or(Denied::Unauthenticated)?;
            return if same_secret(password, expected) {
                Ok(Principal::Platform)
            } else {
                Err(Denied::Unauthenticated)
            };
        }
        self.access.authenticate(credentials).await.map(Principal::Account)
    }

    /// How to log in, in the words of the Docker token protocol.
    pub(super) fn challenge(&self, request: &Parts, wanted: Option<(&RepositoryName, Action)>) -> String {
        let scope = wanted.map_or_else(String::new, |(name, action)| {
            // Who pushes looks first; one token serves both.
            let actions = match action {
                Action::Push => "pull,push",
                Action::Pull | Action::Delete => action.as_str(),
            };
            format!(",scope=\"repository:{name}:{actions}\"")
        });
        format!("Bearer realm=\"{}/v2/token\",service=\"{SERVICE}\"{scope}", self.base_url(request))
    }

    /// Where the client reached us. By the name that it used itself: that one works for it.
    fn base_url(&self, request: &Parts) -> String {
        let external = self.settings.external_url.as_ref();
        let trimmed = |url: &http::Uri| url.to_string().trim_end_matches('/').to_owned();
        match (host(request), external) {
            (Some(host), Some(url)) if url.authority() == Some(&host) => trimmed(url),
            (Some(host), _) => {
                let secure = request.headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
                format!("{}://{host}", if secure { "https" } else { "http" })
            }
            (None, Some(url)) => trimmed(url),
            (None, None) => String::new(),
        }
    }
}

/// Turns the platform's refusal into ours. A wrong login is told how to log in, when that helps.
pub(super) fn refusal(denied: Denied, challenge: Option<String>) -> Error {
    let message = denied.to_string();
    match denied {
        Denied::Unauthenticated => match challenge {
            Some(challenge) => Error::Unauthorized { challenge, message },
            None => Error::Denied(message),
        },
        Denied::NotFound | Denied::Forbidden => Error::Denied(message),
        Denied::Throttled { retry_after } => Error::Throttled { retry_after, message },
        unavailable @ Denied::Unavailable(_) => Error::Access(unavailable),
    }
}

/// Compares in a time that depends on neither text; the hashes make them equally long.
fn same_secret(a: &Secret, b: &Secret) -> bool {
    let hash = |secret: &Secret| Sha256::digest(secret.reveal().as_bytes());
    hash(a).ct_eq(&hash(b)).into()
}

/// What the request shows. A header that cannot be read is as none.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(Secret::new(value)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(Credentials::Basic { username: username.to_owned(), password: Secret::new(password) })
}

/// The host that the client asked for, when it is one that can be written into a header.
fn host(request: &Parts) -> Option<Authority> {
    let named = request.uri.authority().cloned();
    let host = named.or_else(|| request.headers.get(HOST)?.to_str().ok()?.parse().ok())?;
    (!host.as_str().contains(['"', '\\', '@', ',', ' '])).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_in_any_case_and_with_colons_in_the_password() {
        let headers = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        let Some(Credentials::Basic { username, password }) =
            credentials(&headers(&format!("bAsIc {}", STANDARD.encode("a@b.c:x:y"))))
        else {
            panic!("no credentials")
        };
        assert_eq!((username.as_str(), password.reveal()), ("a@b.c", "x:y"));
        assert!(matches!(credentials(&headers("Bearer t")), Some(Credentials::Bearer(_))));
        for bad in ["Basic", "Basic ???", "Digest x", "Basic bm9jb2xvbg=="] {
            assert!(credentials(&headers(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_the_same_only_when_every_byte_is() {
        assert!(same_secret(&Secret::new("abc"), &Secret::new("abc")));
        assert!(!same_secret(&Secret::new("abc"), &Secret::new("abd")));
        assert!(!same_secret(&Secret::new("abc"), &Secret::new("ab")));
    }
}
