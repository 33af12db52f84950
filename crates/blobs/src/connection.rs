//! The HTTP connections to a store.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use http::StatusCode;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig};

/// How long a request is tried again and again.
pub const RETRY_DURATION_MAX: Duration = Duration::from_secs(60);
/// How long sent bytes may stay unacknowledged, after which the kernel gives them up and closes the connection; also when
/// the process that sent them has ended. So no request of a dead process arrives later than this.
pub const UNDERWAY_DURATION_MAX: Duration = Duration::from_secs(10);

/// Most tries of a request after the first.
const RETRIES_MAX: usize = 8;
/// The pause before the first retry; each one after it is twice as long, up to [`RETRY_PAUSE_MAX`].
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take to come about.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(5);
/// How long a store may be silent in the middle of an answer, or before it.
const SILENCE_DURATION_MAX: Duration = Duration::from_secs(30);
/// How long a connection is kept for the next request.
const IDLE_DURATION_MAX: Duration = Duration::from_secs(60);

pub(crate) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: RETRY_PAUSE, max_backoff: RETRY_PAUSE_MAX, base: 2.0 },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_DURATION_MAX,
    }
}

/// Makes clients of our own: with *ring*, without a limit on a whole transfer (there is one on silence instead), and such
/// that what is sent late does not arrive.
#[derive(Debug)]
pub(crate) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Only the first call in a process has an effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let client = reqwest::Client::builder()
            .https_only(!allow_http)
            .http1_only()
            .connect_timeout(CONNECT_DURATION_MAX)
            .read_timeout(SILENCE_DURATION_MAX)
            .tcp_user_timeout(UNDERWAY_DURATION_MAX)
            .pool_idle_timeout(IDLE_DURATION_MAX)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .user_agent(concat!("ambo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| object_store::Error::Generic { store: "HTTP", source: Box::new(error) })?;
        Ok(HttpClient::new(Connection(client)))
    }
}

#[derive(Debug)]
struct Connection(reqwest::Client);

#[async_trait]
impl HttpService for Connection {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.call(request).await?;
        if response.status() == StatusCode::INSUFFICIENT_STORAGE {
            // Said once, and not asked again for a minute: space does not come by waiting.
            return Err(HttpError::new(HttpErrorKind::Unknown, io::Error::from(io::ErrorKind::StorageFull)));
        }
        Ok(response)
    }
}
