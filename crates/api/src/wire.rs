//! What several handlers show in the same way.

use ambo_api_types::{AppReference, NamedReference};
use ambo_model::App;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::state::Api;

/// How other objects name an app.
pub(crate) fn app_reference(app: &App) -> AppReference {
    AppReference { id: app.id.uuid(), name: app.name.to_string() }
}

/// An id for what has none of its own, the same for the same words.
pub(crate) fn derived_id(words: &[&str]) -> Uuid {
    let digest = Sha256::digest(words.join("\0"));
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A thing of which there is only one, such as the region.
pub(crate) fn named(kind: &str, name: &str) -> NamedReference {
    NamedReference { id: derived_id(&[kind, name]), name: name.to_owned() }
}

/// Tells the client something beside the answer: in our own words' header, and in the one that Heroku's client prints.
pub(crate) fn warning(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert("x-ambo-warning", value.clone());
        headers.insert("x-heroku-warning", value);
    }
    headers
}

/// How this client reaches the API, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(pub(crate) String);

impl BaseUrl {
    fn of(api: &Api, headers: &HeaderMap) -> Self {
        if let Some(url) = &api.settings.url {
            return Self(url.trim_end_matches('/').to_owned());
        }
        // What the client says of its own connection only goes back to this client.
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
        let host = text(header::HOST.as_str()).filter(|host| is_host(host)).unwrap_or("localhost");
        Self(format!("{scheme}://{host}"))
    }

    /// The host alone, in brackets if it is an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or(authority);
        match authority.rfind(']') {
            Some(end) => &authority[..=end],
            None => authority.split(':').next().unwrap_or(authority),
        }
    }

    /// The same with `ws` for `http`.
    pub(crate) fn websocket(&self) -> String {
        self.0.strip_prefix("http").map_or_else(|| self.0.clone(), |rest| format!("ws{rest}"))
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c))
}

impl axum::extract::FromRequestParts<Api> for BaseUrl {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Self::Rejection> {
        let mut headers = parts.headers.clone();
        if let Some(authority) = parts.uri.authority().and_then(|a| a.as_str().parse().ok()) {
            // HTTP/2 has the host in the URI.
            headers.entry(header::HOST).or_insert(authority);
        }
        Ok(Self::of(api, &headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable_and_differ() {
        assert_eq!(derived_id(&["a", "b"]), derived_id(&["a", "b"]));
        assert_ne!(derived_id(&["a", "b"]), derived_id(&["ab", ""]));
    }

    #[test]
    fn the_host_is_found_in_every_url() {
        let host = |url: &str| BaseUrl(url.to_owned()).host().to_owned();
        assert_eq!(host("https://ambo.example.com/x"), "ambo.example.com");
        assert_eq!(host("http://127.0.0.1:7080"), "127.0.0.1");
        assert_eq!(host("http://[::1]:7080"), "[::1]");
    }

    #[test]
    fn only_hosts_are_hosts() {
        assert!(is_host("127.0.0.1:7080") && is_host("[::1]:80") && is_host("ambo.example.com"));
        assert!(!is_host("evil/x") && !is_host("a b") && !is_host("a@b"));
    }
}
