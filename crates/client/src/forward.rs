//! Passing on somebody else's requests to one server.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http_body::{Body, Frame, SizeHint};

use crate::error::ClientError;
use crate::host::Host;

/// Longest time to open a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(10);
/// Headers that are about one connection and not about the message.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// The same, without names of their own in the library.
const HOP_BY_HOP_OLD: [&str; 2] = ["keep-alive", "proxy-connection"];

/// Passes on requests as they are: it adds no credentials, follows no redirection and keeps no body in memory.
#[derive(Debug, Clone)]
pub struct Forwarder {
    host: Host,
    http: reqwest::Client,
}

impl Forwarder {
    /// For one server. Opens no connection yet.
    ///
    /// # Errors
    /// When the machine's certificate store cannot be read.
    pub fn new(host: Host) -> Result<Self, ClientError> {
        // Fails only when a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_DURATION_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .http1_only();
        let builder = if host.is_loopback() { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|source| ClientError::Transport { host: host.to_string(), source })?;
        Ok(Self { host, http })
    }

    /// Sends a request to the server, at the path that it asks for, and gives the answer as soon as its head is there.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn forward<B>(&self, request: http::Request<B>) -> Result<http::Response<ForwardedBody>, ClientError>
    where
        B: Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut head, body) = request.into_parts();
        without_hops(&mut head.headers);
        head.headers.remove(header::HOST);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut onward = self.http.request(head.method, self.host.at(path)).headers(head.headers);
        if !body.is_end_stream() {
            onward = onward.body(reqwest::Body::wrap(body));
        }
        let answer = onward
            .send()
            .await
            .map_err(|source| ClientError::Transport { host: self.host.to_string(), source: source.without_url() })?;
        let mut answer = http::Response::from(answer).map(|body| ForwardedBody { body });
        without_hops(answer.headers_mut());
        Ok(answer)
    }
}

/// Takes away what is about the connection alone.
fn without_hops(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP_OLD {
        headers.remove(name);
    }
}

/// The body of an answer, as it comes in.
pub struct ForwardedBody {
    body: reqwest::Body,
}

impl Body for ForwardedBody {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for ForwardedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardedBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Bearer t"),
            ("content-length", "5"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        without_hops(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "content-length"]);
    }
}
