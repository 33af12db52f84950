//! What the node measures, for the controller that leads.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ambo_engine_docker::Engine;
use ambo_link::frames::Frame;
use ambo_link::{Accepted, LinkStream};
use ambo_metrics::RouterSample;
use tokio::net::UnixStream;

use crate::cluster::measuring::{Question, one};
use crate::cluster::meeting::Meeting;
use crate::metrics::Sampler;
use crate::one_machine::engine_settings;
use crate::settings::Settings;

/// Our own root lies on the file system that holds the engine's images and containers.
const ENGINES_DISK: &str = "/";
/// How long the router may take.
const ROUTER_DURATION_MAX: Duration = Duration::from_secs(2);

/// Answers with a sample.
#[derive(Debug)]
pub(super) struct MetricsService {
    sampler: Sampler,
    /// The router's socket.
    counts: PathBuf,
}

impl MetricsService {
    pub(super) fn new(settings: &Settings, meeting: &Meeting) -> anyhow::Result<Self> {
        let engine = Engine::connect(engine_settings(settings)?)?;
        Ok(Self { sampler: Sampler { engine, disk: PathBuf::from(ENGINES_DISK) }, counts: meeting.counts() })
    }

    pub(super) async fn serve(&self, accepted: Accepted) {
        let Ok(stream) = accepted.take().await else { return };
        if let Err(error) = self.answer(stream).await {
            tracing::info!(%error, "the node is not measured");
        }
    }

    async fn answer(&self, mut stream: LinkStream) -> io::Result<()> {
        let question: Question = one(&mut stream).await?;
        let router = tokio::time::timeout(ROUTER_DURATION_MAX, self.router()).await;
        let router = router.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let router = router.inspect_err(|error| tracing::info!(%error, "the router does not say what it has counted"));
        let sample = self.sampler.sample(&question.platform, router.ok()).await.map_err(io::Error::other)?;
        Frame::of(&sample)?.write(&mut stream).await
    }

    async fn router(&self) -> io::Result<RouterSample> {
        one(UnixStream::connect(&self.counts).await?).await
    }
}
