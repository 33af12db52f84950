//! The port: what every engine's driver does. A driver is done when the contract suite passes over it.

use std::collections::BTreeMap;
use std::time::Duration;

use ambo_model::{
    AppId, AppName, Command, ImageReference, Instance, InstanceId, Limits, NodeId, ReleaseVersion, RunId, Secret, Tags,
    Timestamp, WorkloadId,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::attached::{Attached, TerminalSize};
use crate::workload::WorkloadSpec;

/// An engine that runs instances.
#[async_trait]
pub trait Scheduler: Send + Sync + 'static {
    /// Every instance of ours that the engine knows, in any state, one-off runs excepted.
    async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError>;

    /// Makes at least `spec.count` instances of the workload exist and be started: starts what is missing, replaces what has
    /// exited. Never stops a running one, not even beyond the count. Idempotent. Pulls the image when it is not there.
    ///
    /// Returns when the engine has accepted the starts, not when instances are healthy.
    async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError>;

    /// Shrinks a workload to `keep` instances by stopping `retire`, all at once. Ids that are gone already are no error.
    async fn workload_shrink(
        &self,
        workload: &WorkloadId,
        keep: u32,
        retire: &[InstanceId],
        grace: Duration,
    ) -> Result<(), SchedulerError>;

    /// Stops and removes all of a workload. Idempotent; an unknown workload is no error.
    async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError>;

    /// Stops one instance: SIGTERM, SIGKILL after `grace`; and removes it. Unknown ids are no error.
    /// The next `workload_ensure` starts a new one in its place.
    async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError>;

    /// The output of an instance after `since`, and what follows until the instance is gone, restarts included.
    /// Instances that are not there are [`SchedulerError::InstanceGone`].
    async fn instance_logs(
        &self,
        instance: &InstanceId,
        since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError>;

    /// The last `line_count` lines of an instance's output, oldest first; for telling why it died.
    async fn instance_last_lines(
        &self,
        instance: &InstanceId,
        line_count: usize,
    ) -> Result<Vec<String>, SchedulerError>;

    /// Runs a program inside a running instance.
    async fn instance_exec(&self, instance: &InstanceId, exec: ExecSpec) -> Result<Attached, SchedulerError>;

    /// Starts a one-off instance and attaches to it. It is removed when it has ended. Dropping the control of an attached run
    /// ends it, as when its user goes away; when `detach` is set it goes on without anybody attached and its output
    /// goes to the log through [`Scheduler::instance_logs`].
    async fn run(&self, run: RunSpec) -> Result<Attached, SchedulerError>;

    /// Running one-off instances, newest first; those of an earlier start of ours included.
    async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError>;

    /// Makes the image be on the engine.
    async fn image_ensure(&self, image: &ImageReference) -> Result<(), SchedulerError>;

    /// Something about our instances changed: a nudge to observe again. Ends when the engine goes away.
    async fn events(&self) -> Result<BoxStream<'static, SchedulerEvent>, SchedulerError>;

    /// Whether the engine answers, and what it is.
    async fn status(&self) -> Result<EngineStatus, SchedulerError>;
}

/// A nudge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerEvent {
    /// The app concerned.
    pub app: Option<AppId>,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineStatus {
    /// Such as `docker`.
    pub engine: String,
    /// Its version.
    pub version: String,
    /// Bytes of memory of the machine.
    pub memory_bytes: u64,
    /// Its cores.
    pub cpu_count: u32,
}

/// A line of an instance's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceLog {
    /// When the engine read it.
    pub at: Timestamp,
    /// Its bytes, without the line end; at most `LOG_LINE_BYTES_MAX` (longer lines come in pieces).
    pub text: Bytes,
}

/// A program to run inside an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// Its words.
    pub command: Command,
    /// More variables.
    pub env: BTreeMap<String, String>,
    /// A terminal of this size, or pipes.
    pub terminal: Option<TerminalSize>,
}

/// A one-off instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// Its id.
    pub id: RunId,
    /// `run.<index>`, or `release.<index>` for a release phase.
    pub name: String,
    /// The app.
    pub app: AppId,
    /// The app's name.
    pub app_name: AppName,
    /// The release whose image and config it uses.
    pub release: ReleaseVersion,
    /// The image, pinned by digest.
    pub image: ImageReference,
    /// What to run instead of the image's command.
    pub command: Command,
    /// Every variable but `DYNO`, which is `name`.
    pub env: BTreeMap<String, Secret>,
    /// What it may use.
    pub limits: Limits,
    /// What a node must carry for it to run there; see [`WorkloadSpec::tags`].
    pub tags: Tags,
    /// A terminal of this size, or pipes.
    pub terminal: Option<TerminalSize>,
    /// Go on when nobody is attached.
    pub detach: bool,
}

/// What goes wrong between us and an engine.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The engine does not answer. Retry later; nothing is known to have changed.
    #[error("the container engine does not answer")]
    EngineDown {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The image is neither on the engine nor to be pulled.
    #[error("pull image {image}")]
    ImagePull {
        /// Which.
        image: ImageReference,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The program could not be started: wrong command, missing shell. The user's fault; a retry changes nothing.
    #[error("start {what}: {reason}")]
    Start {
        /// `web.1`.
        what: String,
        /// In the engine's words.
        reason: String,
    },
    /// No such instance, or no longer.
    #[error("instance {0} is gone")]
    InstanceGone(InstanceId),
    /// No such node, or no longer.
    #[error("node {0} is not in the cluster")]
    NodeGone(NodeId),
    /// What was asked for is not allowed now: the caller's fault.
    #[error("{doing}: {reason}")]
    Refused {
        /// What we asked for.
        doing: String,
        /// In the engine's words.
        reason: String,
    },
    /// Another control plane has taken over since this one was elected: nothing was done, and nothing will be.
    #[error("the control plane of term {ours} was replaced by that of term {seen}")]
    Deposed {
        /// The term in which this one was elected.
        ours: u64,
        /// The latest that the engine has seen.
        seen: u64,
    },
    /// The engine refused or failed.
    #[error("{doing}")]
    Engine {
        /// What we asked for.
        doing: String,
        /// Its answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
