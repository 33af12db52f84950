//! What is remembered of a request.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::{AppId, InstanceId, LogLine, LogSource, Timestamp};
use http::{HeaderValue, Method, Uri};

use crate::access::format;
use crate::client::Scheme;
use crate::fault::Fault;
use crate::target::TargetState;

/// One finished request.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// When it ended.
    pub at: Timestamp,
    /// Whose; `None` for hosts of the platform.
    pub app: Option<AppId>,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub uri: Uri,
    /// The host as the client wrote it.
    pub host: HeaderValue,
    /// As the instance was told it.
    pub request_id: HeaderValue,
    /// As the instance was told it.
    pub forwarded_for: HeaderValue,
    /// How long it took to get a connection to the instance; `None` when none was tried or reached.
    pub connect: Option<Duration>,
    /// How long the whole took.
    pub service: Duration,
    /// What the client was told.
    pub status: u16,
    /// Bytes of the response's body.
    pub bytes: u64,
    /// How the client came in.
    pub scheme: Scheme,
    /// What went wrong.
    pub fault: Option<Fault>,
    pub(crate) target: Option<Arc<TargetState>>,
}

impl AccessRecord {
    /// The instance that answered or was tried last.
    #[must_use]
    pub fn instance(&self) -> Option<&InstanceId> {
        self.target.as_ref().map(|target| &target.instance)
    }

    /// Its name: `web.1`.
    #[must_use]
    pub fn instance_name(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.name.as_str())
    }

    /// The line in Heroku's form: `at=info method=GET path="/" host=…`.
    #[must_use]
    pub fn text(&self) -> String {
        format::line(self)
    }
}

/// Takes the records. Called from one thread, never from a request.
pub trait AccessSink: Send + Sync + 'static {
    /// Takes one. May block for a while: what does not fit meanwhile is dropped and counted.
    fn record(&self, record: AccessRecord);
}

/// A sink that gives lines of the apps' logs, under `ambo[router]`. Requests for the platform's hosts have no app, hence no
/// line.
pub struct LogLines(pub Arc<dyn Fn(LogLine) + Send + Sync>);

impl AccessSink for LogLines {
    fn record(&self, record: AccessRecord) {
        let Some(app) = record.app else { return };
        let text = record.text();
        (self.0)(LogLine { app, at: record.at, source: LogSource::Ambo, name: "router".to_owned(), text });
    }
}

impl std::fmt::Debug for LogLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogLines").finish()
    }
}
