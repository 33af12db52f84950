//! The head that the instance gets: without what concerns only the client's connection, with what concerns the client.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Uri, Version};

use crate::client::Client;
use crate::request::id::{self, RequestIds};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");
/// Claims about the client that only a trusted peer may make.
const CLAIMS_PREFIX: &str = "x-forwarded-";
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What of a request is also of interest to the router.
#[derive(Debug)]
pub(crate) struct Introduction {
    /// As the instance is told it.
    pub(crate) request_id: HeaderValue,
    /// As the instance is told it.
    pub(crate) forwarded_for: HeaderValue,
}

/// Whom the instance is told that the request comes from. Reads only; the head is rewritten by [`head_rewrite`].
pub(crate) fn introduce(headers: &HeaderMap, client: &Client, ids: &RequestIds) -> Introduction {
    let request_id = headers.get(X_REQUEST_ID).filter(|id| id::is_sane(id)).cloned().unwrap_or_else(|| ids.next());
    let forwarded_for = if client.trusted { forwarded_chain(headers, client) } else { client.address.clone() };
    Introduction { request_id, forwarded_for }
}

/// What a trusted peer says, with the peer itself appended.
fn forwarded_chain(headers: &HeaderMap, client: &Client) -> HeaderValue {
    let mut chain = Vec::new();
    for part in headers.get_all(X_FORWARDED_FOR) {
        chain.extend_from_slice(part.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(client.address.as_bytes());
    HeaderValue::from_bytes(&chain).unwrap_or_else(|_| client.address.clone())
}

/// Whether the client asks for another protocol on this connection.
pub(crate) fn wants_upgrade(parts: &Parts) -> bool {
    parts.version == Version::HTTP_11
        && parts.headers.contains_key(UPGRADE)
        && connection_tokens(&parts.headers).any(|token| token.eq_ignore_ascii_case("upgrade"))
}

/// Whether the request's body has no length of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body, or its length is known.
    Length,
    /// The end is marked.
    Chunked,
}

/// Makes the client's head the instance's.
pub(crate) fn head_rewrite(parts: &mut Parts, client: &Client, intro: &Introduction, start_ms: i64, framing: Framing) {
    let upgrade = wants_upgrade(parts).then(|| parts.headers.get(UPGRADE).cloned()).flatten();
    let trailers = parts.headers.get(TE).is_some_and(|te| contains_token(te, "trailers"));
    hop_headers_remove(&mut parts.headers);
    if !client.trusted {
        claims_remove(&mut parts.headers);
    }
    let headers = &mut parts.headers;
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, upgrade);
    } else if trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("TE"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if framing == Framing::Chunked {
        headers.remove(CONTENT_LENGTH);
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    headers.insert(X_FORWARDED_FOR, intro.forwarded_for.clone());
    if !client.trusted || !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(client.scheme.as_str()));
    }
    if !client.trusted || !headers.contains_key(X_FORWARDED_PORT) {
        headers.insert(X_FORWARDED_PORT, client.port.clone());
    }
    headers.insert(X_REQUEST_ID, intro.request_id.clone());
    headers.insert(X_REQUEST_START, HeaderValue::from(start_ms));
    if parts.version == Version::HTTP_2 {
        cookies_join(headers);
    }
    parts.version = Version::HTTP_11;
    origin_form(parts);
}

/// HTTP/2 has its host in the address; HTTP/1.1 has it in a header.
pub(crate) fn host_insert(parts: &mut Parts, host: &HeaderValue) {
    if !parts.headers.contains_key(HOST) {
        parts.headers.insert(HOST, host.clone());
    }
}

fn origin_form(parts: &mut Parts) {
    if parts.uri.authority().is_some() {
        let path = parts.uri.path_and_query().cloned();
        parts.uri = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    }
}

/// Removes the headers that end at this hop (RFC 9110, section 7.6.1). Also used for responses.
pub(crate) fn hop_headers_remove(headers: &mut HeaderMap) {
    // One look at each header rather than one search for each name: mostly none of them is there.
    let mut found = Found::default();
    for name in headers.keys() {
        match *name {
            CONNECTION => found.connection = true,
            TE | TRANSFER_ENCODING | UPGRADE | EXPECT | PROXY_AUTHENTICATE | PROXY_AUTHORIZATION => found.known = true,
            _ if *name == KEEP_ALIVE || *name == PROXY_CONNECTION => found.known = true,
            _ => {}
        }
    }
    if found.connection {
        for name in connection_listed(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    if found.known {
        for name in [TE, TRANSFER_ENCODING, UPGRADE, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION] {
            headers.remove(name);
        }
        headers.remove(KEEP_ALIVE);
        headers.remove(PROXY_CONNECTION);
    }
}

#[derive(Debug, Default)]
struct Found {
    connection: bool,
    known: bool,
}

/// The headers that `Connection` names as its own, save those that must not be lost: a client could otherwise have the
/// router drop its `Host` or the router's own word about it.
fn connection_listed(headers: &HeaderMap) -> Vec<HeaderName> {
    connection_tokens(headers)
        .filter(|token| !token.eq_ignore_ascii_case("close") && !token.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH && *name != X_REQUEST_ID)
        .collect()
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn contains_token(value: &HeaderValue, token: &str) -> bool {
    value.to_str().is_ok_and(|text| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

fn claims_remove(headers: &mut HeaderMap) {
    let is_claim =
        |name: &HeaderName| name.as_str().starts_with(CLAIMS_PREFIX) || *name == FORWARDED || *name == X_REAL_IP;
    if headers.keys().any(is_claim) {
        let claims: Vec<_> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
        for name in claims {
            headers.remove(name);
        }
    }
}

/// HTTP/2 may split the cookies over several headers; HTTP/1.1 may not (RFC 9113, section 8.2.3).
fn cookies_join(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(cookies) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, cookies);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use http::Request;

    use super::*;
    use crate::client::{Protocol, Scheme};

    fn rewritten(trusted: bool, head: &[(&str, &str)]) -> HeaderMap {
        let peer = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
        let client =
            Client::new(peer, SocketAddr::from(([127, 0, 0, 1], 7443)), Scheme::Https, trusted, Protocol::Http1);
        let mut request = Request::builder().uri("/");
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let intro = introduce(&parts.headers, &client, &RequestIds::new());
        head_rewrite(&mut parts, &client, &intro, 1_700_000_000_123, Framing::Length);
        parts.headers
    }

    #[test]
    fn an_untrusted_client_cannot_speak_for_another() {
        let claims = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
        ];
        let headers = rewritten(false, &claims);
        assert_eq!(headers[X_FORWARDED_FOR], "198.51.100.7");
        assert_eq!(headers[X_FORWARDED_PROTO], "https");
        assert_eq!(headers[X_FORWARDED_PORT], "7443");
        assert_eq!(headers[X_REQUEST_START], "1700000000123");
        assert!(
            !headers.contains_key("x-forwarded-host")
                && !headers.contains_key(FORWARDED)
                && !headers.contains_key(X_REAL_IP)
        );
    }

    #[test]
    fn a_trusted_peer_is_believed_and_appended() {
        let headers = rewritten(true, &[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "http")]);
        assert_eq!(headers[X_FORWARDED_FOR], "1.2.3.4, 198.51.100.7");
        assert_eq!(headers[X_FORWARDED_PROTO], "http");
        assert_eq!(headers[X_FORWARDED_PORT], "7443");
    }

    #[test]
    fn what_concerns_one_connection_stays_on_it() {
        let head = [
            ("connection", "keep-alive, X-Secret, Host"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("host", "a"),
            ("te", "gzip"),
        ];
        let headers = rewritten(false, &head);
        assert!(!headers.contains_key("x-secret") && !headers.contains_key(CONNECTION) && !headers.contains_key(TE));
        assert!(!headers.contains_key("keep-alive"));
        assert_eq!(headers[HOST], "a");
    }

    #[test]
    fn an_upgrade_is_passed_on() {
        let headers = rewritten(false, &[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(headers[CONNECTION], "Upgrade");
        assert_eq!(headers[UPGRADE], "websocket");
        assert!(!rewritten(false, &[("upgrade", "h2c")]).contains_key(UPGRADE));
    }
}
