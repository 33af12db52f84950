//! The engine, as our drivers use it.

use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::error::EngineError;
use crate::settings::DockerSettings;
use crate::transport::{Connector, Transport};

/// Longest wait for the head of an answer. Calls that take longer by nature (stopping with a long grace period) ask for
/// more with [`Engine::client_with_timeout`].
pub const ANSWER_DURATION_MAX: Duration = Duration::from_secs(120);
/// Longest wait for the answer to a question about the engine itself.
const STATUS_DURATION_MAX: Duration = Duration::from_secs(5);
/// Largest answer to a raw request, in bytes.
const RAW_ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Stands for the engine in requests; Docker does not look at it.
const HOST: &str = "http://docker";

/// A connection, both ways, whose protocol is no longer HTTP.
pub type RawStream = TokioIo<Upgraded>;

/// A Docker Engine. Cheap to clone; holds no connection, so that an engine which restarts works again by itself.
#[derive(Debug, Clone)]
pub struct Engine {
    transport: Transport,
    docker: Docker,
    negotiated: Arc<OnceCell<()>>,
}

/// What the engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// The machine's name.
    pub node: String,
    /// The engine's version.
    pub version: String,
    /// The machine's memory, in bytes.
    pub memory_bytes: u64,
    /// The machine's cores.
    pub cpu_count: u32,
    /// Log drivers that it has.
    pub log_drivers: Vec<String>,
    /// Whether it has an init program to put in front of an instance's own.
    pub has_init: bool,
}

impl Engine {
    /// Takes the settings in. Nothing is sent yet: an engine that is down is an error of the first call, not of this one.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn connect(settings: DockerSettings) -> Result<Self, EngineError> {
        Self::through(Arc::new(settings.socket))
    }

    /// An engine that is reached through `connector`.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn through(connector: Arc<dyn Connector>) -> Result<Self, EngineError> {
        let transport = Transport::new(connector);
        let sender = transport.clone();
        let docker = Docker::connect_with_custom_transport(
            move |request| sender.clone().send_for_bollard(request),
            Some(HOST),
            ANSWER_DURATION_MAX.as_secs(),
            API_DEFAULT_VERSION,
        )?;
        Ok(Self { transport, docker, negotiated: Arc::new(OnceCell::new()) })
    }

    /// The client, in the API version that the engine speaks. The first call asks for it; later ones are free.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn client(&self) -> Result<Docker, EngineError> {
        self.negotiated
            .get_or_try_init(|| async {
                // The version is shared by all clones of the client.
                self.docker.clone().with_timeout(STATUS_DURATION_MAX).negotiate_version().await.map(drop)
            })
            .await?;
        Ok(self.docker.clone())
    }

    /// The client for calls that take up to `duration` more than usual.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn client_with_timeout(&self, duration: Duration) -> Result<Docker, EngineError> {
        Ok(self.client().await?.with_timeout(ANSWER_DURATION_MAX.saturating_add(duration)))
    }

    /// Whether the engine answers, and what it is.
    ///
    /// # Errors
    /// When it does not.
    pub async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.transport.probe().await?;
        let info = self.client().await?.with_timeout(STATUS_DURATION_MAX).info().await?;
        Ok(EngineInfo {
            node: info.name.unwrap_or_default(),
            version: info.server_version.unwrap_or_default(),
            memory_bytes: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            cpu_count: info.ncpu.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
            log_drivers: info.plugins.and_then(|plugins| plugins.log).unwrap_or_default(),
            has_init: info.init_binary.is_some_and(|binary| !binary.is_empty()),
        })
    }

    /// Asks for a sign of life: nothing that the engine must look up, so that one which is busy answers too.
    ///
    /// # Errors
    /// When it does not answer within 5 s, or says that it is not well.
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.client().await?.with_timeout(STATUS_DURATION_MAX).ping().await.map(drop).map_err(EngineError::from)
    }

    /// Sends a request that bollard has no words for, and reads the JSON answer.
    ///
    /// # Errors
    /// When the engine does not answer, refuses, or answers something else.
    pub async fn raw<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<A, EngineError> {
        let request = request(method, path, body)?.body(body_of(body)?).map_err(unexpected)?;
        let response = self.answer(request).await?;
        let bytes = body_read(response).await?;
        serde_json::from_slice(&bytes).map_err(unexpected)
    }

    /// Sends a request that bollard has no words for, and whose answer says nothing.
    ///
    /// # Errors
    /// When the engine does not answer, or refuses.
    pub async fn raw_empty(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(), EngineError> {
        let request = request(method, path, body)?.body(body_of(body)?).map_err(unexpected)?;
        self.answer(request).await.map(drop)
    }

    /// Takes over a connection: attach and exec. Shutting the stream's writing half down is the end of input.
    ///
    /// # Errors
    /// When the engine does not answer, or refuses.
    pub async fn hijack(&self, path: &str, body: Option<&impl Serialize>) -> Result<RawStream, EngineError> {
        let request = request(Method::POST, path, body)?
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "tcp")
            .body(body_of(body)?)
            .map_err(unexpected)?;
        let response = self.answer(request).await?;
        hyper::upgrade::on(response).await.map(TokioIo::new).map_err(EngineError::down)
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, EngineError> {
        let sent = tokio::time::timeout(ANSWER_DURATION_MAX, self.transport.send(request)).await;
        let response = sent.map_err(EngineError::down)?.map_err(EngineError::down)?;
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let bytes = body_read(response).await?;
        let message = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|value| value.get("message")?.as_str().map(str::to_owned))
            .unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().to_owned());
        Err(EngineError::from_status(status.as_u16(), message))
    }
}

fn request(method: Method, path: &str, body: Option<&impl Serialize>) -> Result<http::request::Builder, EngineError> {
    let builder = Request::builder().method(method).uri(format!("{HOST}{path}"));
    Ok(if body.is_some() { builder.header(CONTENT_TYPE, "application/json") } else { builder })
}

fn body_of(body: Option<&impl Serialize>) -> Result<Full<Bytes>, EngineError> {
    let bytes = body.map(serde_json::to_vec).transpose().map_err(unexpected)?;
    Ok(Full::new(Bytes::from(bytes.unwrap_or_default())))
}

async fn body_read(response: Response<Incoming>) -> Result<Bytes, EngineError> {
    let body = Limited::new(response.into_body(), RAW_ANSWER_BYTES_MAX).collect().await;
    Ok(body.map_err(EngineError::down)?.to_bytes())
}

fn unexpected(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> EngineError {
    EngineError::Unexpected { source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_down_and_works_once_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("docker.sock");
        let settings = DockerSettings { socket: crate::EngineAddress::Unix(path.clone()) };
        let engine = Engine::connect(settings).unwrap();
        assert!(engine.info().await.unwrap_err().is_down());
        assert!(engine.client().await.unwrap_err().is_down());

        let real = std::path::Path::new(crate::settings::SOCKET_DEFAULT);
        assert!(real.exists(), "no Docker Engine: start one with `dockerd`");
        std::os::unix::fs::symlink(real, &path).unwrap();
        assert!(!engine.info().await.unwrap().version.is_empty());
        assert!(engine.client().await.is_ok());
    }

    #[tokio::test]
    async fn raw_requests_read_json_and_sort_refusals() {
        let engine = Engine::connect(DockerSettings::from_environment().unwrap()).unwrap();
        let version: serde_json::Value = engine.raw(Method::GET, "/version", None::<&()>).await.unwrap();
        assert!(version["ApiVersion"].is_string());
        let gone = engine.raw::<serde_json::Value>(Method::GET, "/containers/nosuch/json", None::<&()>).await;
        assert!(gone.unwrap_err().is_not_found());
    }
}
