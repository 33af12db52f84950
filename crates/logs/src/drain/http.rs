//! Heroku's HTTPS drains: frames in the body of a POST, `application/logplex-1`.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::DrainToken;
use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use uuid::Uuid;

use super::target::{AddressGuard, DrainUrl, resolve};

/// Longest wait for an answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(20);
/// Longest wait for a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next lines.
const IDLE_DURATION_MAX: Duration = Duration::from_secs(60);

/// How a request was answered.
pub(crate) enum Posted {
    /// The receiver has it.
    Taken,
    /// The receiver will never take it.
    Refused(StatusCode),
}

pub(crate) struct Poster {
    client: reqwest::Client,
    url: DrainUrl,
    token: DrainToken,
}

impl Poster {
    pub(crate) fn new(url: &DrainUrl, token: &DrainToken, guard: AddressGuard) -> Result<Self, String> {
        // Only the first call in a process has an effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .http1_only()
            .timeout(ANSWER_DURATION_MAX)
            .connect_timeout(CONNECT_DURATION_MAX)
            .pool_idle_timeout(IDLE_DURATION_MAX)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("ambo/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guarded(guard)))
            .build()
            .map_err(|error| deepest(&error))?;
        Ok(Self { client, url: url.clone(), token: token.clone() })
    }

    /// Posts frames. The id stays the same when they are sent again, so that a receiver can tell.
    pub(crate) async fn post(&self, id: Uuid, count: usize, frames: Bytes) -> Result<Posted, String> {
        let request = self
            .client
            .post(self.url.url().clone())
            .header("Content-Type", "application/logplex-1")
            .header("Logplex-Msg-Count", count)
            .header("Logplex-Frame-Id", id.to_string())
            .header("Logplex-Drain-Token", self.token.as_str())
            .body(frames);
        let status = request.send().await.map_err(|error| deepest(&error))?.status();
        match status {
            status if status.is_success() => Ok(Posted::Taken),
            // These are about the lines, and would be said of them again.
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Ok(Posted::Refused(status))
            }
            status => Err(format!("it answers {status}")),
        }
    }
}

/// The innermost cause. The outer ones hold the URL, which may be a secret.
fn deepest(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[derive(Debug)]
struct Guarded(AddressGuard);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0;
        Box::pin(async move { Ok(Box::new(resolve(name.as_str(), 0, guard).await?.into_iter()) as Addrs) })
    }
}
