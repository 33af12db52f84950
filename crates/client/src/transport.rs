//! Requests and answers, without any noun.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::host::Host;

/// The media type of the API.
const ACCEPT: &str = "application/vnd.heroku+json; version=3";
/// Longest answer that is read into memory, in bytes.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Longest refusal that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 256 << 10;
/// How often a call that may be repeated is tried.
const TRIES_MAX: u32 = 3;
/// Pause before the second try; it doubles with each further one.
const RETRY_DELAY: Duration = Duration::from_millis(150);
/// Longest time to open a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(10);
/// Longest time to wait for the answer to a question.
const READ_DURATION_MAX: Duration = Duration::from_secs(60);
/// Longest time to wait for the answer to a change, which may include a whole rollout.
const CHANGE_DURATION_MAX: Duration = Duration::from_secs(75 * 60);

/// A connection to one server on behalf of one account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    host: Host,
    credentials: Credentials,
    http: reqwest::Client,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// None.
    Empty,
    /// A JSON document.
    Json(Bytes),
}

impl Client {
    /// A client for `host`. Opens no connection yet.
    ///
    /// # Errors
    /// When the machine's certificate store cannot be read.
    pub fn new(host: Host, credentials: Credentials) -> Result<Self, ClientError> {
        // Fails only when a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("ambo/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_DURATION_MAX)
            .tcp_keepalive(Duration::from_secs(30))
            .http1_only();
        // A proxy elsewhere cannot reach this machine's own names.
        let builder = if host.is_loopback() { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|source| ClientError::Transport { host: host.to_string(), source })?;
        Ok(Self { host, credentials, http })
    }

    /// The server.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The same server on behalf of someone else.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        Self { credentials, ..self.clone() }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let (_, answer) = self.call(Method::GET, path, HeaderMap::new(), RequestBody::Empty).await?;
        self.decode(&answer)
    }

    pub(crate) async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let (_, answer) = self.call(Method::POST, path, HeaderMap::new(), self.json(body)?).await?;
        self.decode(&answer)
    }

    pub(crate) async fn patch<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let (_, answer) = self.call(Method::PATCH, path, HeaderMap::new(), self.json(body)?).await?;
        self.decode(&answer)
    }

    /// Deletes; what the answer says is of no interest.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, path, HeaderMap::new(), RequestBody::Empty).await.map(drop)
    }

    /// Acts; what the answer says is of no interest.
    pub(crate) async fn act(&self, path: &str) -> Result<(), ClientError> {
        self.call(Method::POST, path, HeaderMap::new(), RequestBody::Empty).await.map(drop)
    }

    /// One call with its whole answer. Repeats it after a broken connection where that does no harm.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: RequestBody,
    ) -> Result<(HeaderMap, Bytes), ClientError> {
        let repeatable = matches!(method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        let timeout = if method == Method::GET { READ_DURATION_MAX } else { CHANGE_DURATION_MAX };
        let mut tries = 1;
        loop {
            let mut request =
                self.request(method.clone(), &self.host.at(path)).headers(headers.clone()).timeout(timeout);
            if let RequestBody::Json(json) = &body {
                request = request.header(header::CONTENT_TYPE, "application/json").body(json.clone());
            }
            match self.answer(request).await {
                Err(ClientError::Transport { source, .. }) if repeatable && tries < TRIES_MAX && is_broken(&source) => {
                    tokio::time::sleep(RETRY_DELAY * 2_u32.pow(tries - 1)).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<(HeaderMap, Bytes), ClientError> {
        let mut response = self.send(request).await?;
        let headers = std::mem::take(response.headers_mut());
        let body = self.read_to_end(response, ANSWER_BYTES_MAX).await?;
        Ok((headers, body))
    }

    /// A request to the API's own host, with credentials.
    pub(crate) fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url).header(header::ACCEPT, ACCEPT);
        match self.credentials.header().and_then(|text| HeaderValue::from_str(&text).ok()) {
            Some(mut value) => {
                value.set_sensitive(true);
                request.header(header::AUTHORIZATION, value)
            }
            None => request,
        }
    }

    /// A request to a URL that the server gave out, without credentials: such a URL carries its own secret.
    pub(crate) fn request_given(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends, and turns a refusal into its error. The body of a success is still to be read.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
        let response = request.send().await.map_err(|source| self.transport_error(source))?;
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let request_id = response.headers().get("request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = self.read_to_end(response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        Err(ClientError::from_answer(status.as_u16(), &body, request_id))
    }

    async fn read_to_end(&self, mut response: reqwest::Response, bytes_max: usize) -> Result<Bytes, ClientError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|source| self.transport_error(source))? {
            if body.len() + chunk.len() > bytes_max {
                return Err(self.protocol_error(format!("it is longer than {bytes_max} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    pub(crate) fn json<B: Serialize + ?Sized>(&self, body: &B) -> Result<RequestBody, ClientError> {
        serde_json::to_vec(body)
            .map(|json| RequestBody::Json(json.into()))
            .map_err(|error| self.protocol_error(format!("the request cannot be written as JSON: {error}")))
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(answer).map_err(|error| self.protocol_error(error.to_string()))
    }

    pub(crate) fn transport_error(&self, source: reqwest::Error) -> ClientError {
        ClientError::Transport { host: self.host.to_string(), source: source.without_url() }
    }

    pub(crate) fn protocol_error(&self, what: impl Into<String>) -> ClientError {
        ClientError::Protocol { host: self.host.to_string(), what: what.into() }
    }

    pub(crate) fn interrupted(&self) -> ClientError {
        ClientError::Interrupted { host: self.host.to_string() }
    }
}

/// Whether the connection failed or broke, as opposed to a timeout or an unreadable answer.
fn is_broken(error: &reqwest::Error) -> bool {
    !error.is_timeout() && !error.is_decode() && (error.is_connect() || error.is_request() || error.is_body())
}

/// One segment of a path, percent-encoded.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'@' | b'*') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    // A segment of dots alone would climb.
    if encoded.bytes().all(|byte| byte == b'.') { encoded.replace('.', "%2E") } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_never_leaves_its_place_in_the_path() {
        assert_eq!(segment("my-app"), "my-app");
        assert_eq!(segment("a/../b?c#d"), "a%2F..%2Fb%3Fc%23d");
        assert_eq!(segment("SHA256:ab+c="), "SHA256%3Aab%2Bc%3D");
        assert_eq!(segment("ü@x.org"), "%C3%BC@x.org");
    }
}
