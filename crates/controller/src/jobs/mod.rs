//! Jobs: work that a change needs later, enqueued in the transaction of the change; safe to run twice.
//!
//! A job is removed when it is done. One that was interrupted is still there on the next start, and is run again.

mod queue;

use ambo_model::{AppId, JobId, PipelineId, ProcessType, PromotionId, ReleaseVersion, Timestamp};
use ambo_release::Restart;
use ambo_store::Transaction;
use serde::{Deserialize, Serialize};

use crate::controller::Controller;
use crate::keys;
use crate::records::json;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Work {
    /// Roll a release out for which nobody waits.
    RollOut { version: ReleaseVersion },
    /// New instances of the release that serves: of one process, or of all.
    Restart { process: Option<ProcessType> },
    /// Release to this app what another app of the pipeline runs.
    Promote { pipeline: PipelineId, promotion: PromotionId },
    /// Remove what a destroyed app leaves behind.
    AppDestroy,
}

impl From<Restart> for Work {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Process(process) => Self::Restart { process: Some(process) },
            Restart::All | Restart::No => Self::Restart { process: None },
        }
    }
}

/// A job as it lies in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    id: JobId,
    app: AppId,
    work: Work,
    created_at: Timestamp,
}

impl Controller {
    /// Adds a job to a transaction. Nudge the jobs after the commit.
    pub(crate) fn job_put(&self, transaction: Transaction, app: AppId, work: Work, now: Timestamp) -> Transaction {
        let job = Job { id: JobId::new(), app, work, created_at: now };
        transaction.put(keys::job(job.id), json(&job))
    }
}
