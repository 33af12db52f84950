//! Jobs: work that a change needs later, enqueued in the transaction of the change; safe to run twice.
//!
//! A job is removed when it is done. One that was interrupted is still there on the next start, and is run again.

mod queue;

use ambo_model::{AppId, JobId, ReleaseVersion, Timestamp};
use ambo_release::Restart;
use ambo_store::Transaction;
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::keys;
use crate::records::json;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// Roll a release out for which nobody waits.
    RollOut(ReleaseVersion),
    /// New instances of the release that serves.
    Restart(Restart),
    /// Remove what a destroyed app leaves behind.
    AppDestroy,
}

impl JobKind {
    pub(crate) fn roll_out(version: ReleaseVersion) -> Self {
        Self::RollOut(version)
    }

    pub(crate) fn restart(process: ambo_model::ProcessType) -> Self {
        Self::Restart(Restart::Process(process))
    }

    pub(crate) fn restart_all() -> Self {
        Self::Restart(Restart::All)
    }
}

/// A job as it lies in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) app: AppId,
    work: Work,
    created_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Work {
    RollOut { version: ReleaseVersion },
    Restart { process: Option<ambo_model::ProcessType> },
    AppDestroy,
}

impl Job {
    /// What is to be done.
    pub(crate) fn kind(&self) -> JobKind {
        match &self.work {
            Work::RollOut { version } => JobKind::RollOut(*version),
            Work::Restart { process: Some(process) } => JobKind::Restart(Restart::Process(process.clone())),
            Work::Restart { process: None } => JobKind::Restart(Restart::All),
            Work::AppDestroy => JobKind::AppDestroy,
        }
    }
}

impl Controller {
    /// Adds a job to a transaction. Nudge the jobs after the commit.
    pub(crate) fn job_put(&self, transaction: Transaction, app: AppId, kind: JobKind, now: Timestamp) -> Transaction {
        let work = match kind {
            JobKind::RollOut(version) => Work::RollOut { version },
            JobKind::Restart(Restart::Process(process)) => Work::Restart { process: Some(process) },
            JobKind::Restart(Restart::All | Restart::No) => Work::Restart { process: None },
            JobKind::AppDestroy => Work::AppDestroy,
        };
        let job = Job { id: JobId::new(), app, work, created_at: now };
        transaction.put(keys::job(job.id), json(&job))
    }
}
