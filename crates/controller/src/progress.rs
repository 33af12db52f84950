//! Where an operation says what it is doing, in Heroku's manner.

use ambo_builder::BuildOutput;
use tokio::sync::mpsc;

use crate::error::chain;
use crate::push::{DeployError, DeployFault};

/// Lines that wait for a slow client.
const LINES_QUEUED_MAX: usize = 1024;

/// The lines of one operation, on their way to whoever waits for it; or to nobody.
#[derive(Debug, Clone)]
pub struct Progress {
    lines: Option<BuildOutput>,
}

impl Progress {
    /// To this client.
    #[must_use]
    pub fn to(lines: BuildOutput) -> Self {
        Self { lines: Some(lines) }
    }

    /// To nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self { lines: None }
    }

    /// `-----> text`
    pub async fn heading(&self, text: &str) {
        self.line(format!("-----> {text}")).await;
    }

    /// Indented below the heading.
    pub async fn detail(&self, text: &str) {
        self.line(format!("       {text}")).await;
    }

    /// ` !     text`, for what went wrong.
    pub async fn warning(&self, text: &str) {
        self.line(format!(" !     {text}")).await;
    }

    /// Why a deploy serves nothing. A rollout has said so by itself.
    pub async fn failure(&self, error: &DeployError) {
        if !matches!(error.fault, DeployFault::Rollout(_)) {
            self.warning(&chain(error)).await;
        }
    }

    /// A line as it stands. A client that has gone is no error: it is noticed elsewhere.
    pub async fn line(&self, line: String) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(line).await;
        }
    }

    /// The channel for a station that writes lines itself.
    #[must_use]
    pub fn channel(&self) -> BuildOutput {
        self.lines.clone().unwrap_or_else(|| mpsc::channel(LINES_QUEUED_MAX).0)
    }
}
