//! Who a request says it is.

use ambo_model::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

/// A name and a password, or a token as the password.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

impl Credentials {
    /// Reads `Authorization: Basic` or `Bearer`. Nothing if there is none that can be read.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, value) = value.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self { username: String::new(), password: Secret::new(value.trim()) });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        Some(Self { username: username.to_owned(), password: Secret::new(password) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        Credentials::of(&headers).map(|it| (it.username, it.password.reveal().to_owned()))
    }

    #[test]
    fn basic_and_bearer_are_read_and_the_rest_is_nothing() {
        assert_eq!(read("Basic YTpiOmM="), Some(("a".into(), "b:c".into())));
        assert_eq!(read("basic OnRva2Vu"), Some((String::new(), "token".into())));
        assert_eq!(read("Bearer token"), Some((String::new(), "token".into())));
        for bad in ["Basic", "Basic ?", "Basic YQ==", "Digest x", "Basic /w=="] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
