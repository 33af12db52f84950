//! Reads the output of every instance and run into the logs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{Instance, InstanceId, LogLine, LogSource, Timestamp};
use ambo_scheduler::SchedulerError;
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::controller::Controller;
use crate::error::{ControllerError, chain};

/// How long until the next look without a nudge.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How long until reading that broke off goes on.
const BROKEN_PAUSE: Duration = Duration::from_millis(500);

/// How far an instance's output is read.
#[derive(Debug, Clone, Copy)]
enum Read {
    /// It is being read.
    Reading,
    /// To its end; if the instance starts again, it goes on after this.
    Ended(Timestamp),
    /// Reading broke off; it goes on after this.
    Broken(Option<Timestamp>),
}

impl Read {
    /// From where to read now, if at all.
    fn next(self, instance: &Instance) -> Option<Option<Timestamp>> {
        match self {
            Self::Reading => None,
            Self::Ended(at) => instance.is_running().then_some(Some(at)),
            Self::Broken(since) => Some(since),
        }
    }
}

impl Controller {
    pub(crate) async fn logs_run(self: Arc<Self>) {
        let begun = Timestamp::now();
        let mut readers: JoinSet<(InstanceId, Read)> = JoinSet::new();
        let mut read: HashMap<InstanceId, Read> = HashMap::new();
        while !self.stopping.is_cancelled() {
            if let Err(error) = self.logs_reconcile(begun, &mut readers, &mut read).await {
                tracing::debug!(error = %chain(&error), "cannot look for output to read now");
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.nudge.logs_nudged() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                Some(ended) = readers.join_next() => read.extend(ended),
            }
            // With a node, many end at once.
            while let Some(ended) = readers.try_join_next() {
                read.extend(ended);
            }
        }
        readers.abort_all();
    }

    async fn logs_reconcile(
        self: &Arc<Self>,
        begun: Timestamp,
        readers: &mut JoinSet<(InstanceId, Read)>,
        read: &mut HashMap<InstanceId, Read>,
    ) -> Result<(), ControllerError> {
        let mut observed = self.scheduler.instances_observe().await?;
        observed.extend(self.scheduler.runs_observe().await?);
        let ids: HashSet<&InstanceId> = observed.iter().map(|instance| &instance.id).collect();
        read.retain(|id, _| ids.contains(id));
        for instance in observed {
            let since = match read.get(&instance.id) {
                Some(read) => match read.next(&instance) {
                    Some(since) => since,
                    None => continue,
                },
                None if instance.started_at.is_some_and(|started| started < begun) => {
                    self.logs.last_at(instance.workload.app, &instance.name()).await
                }
                None => None,
            };
            read.insert(instance.id.clone(), Read::Reading);
            readers.spawn(Arc::clone(self).instance_read(instance, since));
        }
        Ok(())
    }

    /// Reads an instance's output to its end, or until the way to it breaks.
    async fn instance_read(self: Arc<Self>, instance: Instance, since: Option<Timestamp>) -> (InstanceId, Read) {
        let mut last = since;
        let read = match self.instance_read_after(&instance, &mut last).await {
            Ok(()) => Read::Ended(last.unwrap_or_else(Timestamp::now)),
            Err(error) => {
                tokio::time::sleep(BROKEN_PAUSE).await;
                match error {
                    SchedulerError::InstanceGone(_) => Read::Ended(last.unwrap_or_else(Timestamp::now)),
                    _ => Read::Broken(last),
                }
            }
        };
        (instance.id, read)
    }

    /// Reads what an instance has said after `last`, which comes along.
    async fn instance_read_after(
        &self,
        instance: &Instance,
        last: &mut Option<Timestamp>,
    ) -> Result<(), SchedulerError> {
        let (app, name) = (instance.workload.app, instance.name());
        let mut lines = self.scheduler.instance_logs(&instance.id, *last).await?;
        while let Some(line) = lines.next().await.transpose()? {
            let text = String::from_utf8_lossy(&line.text).into_owned();
            *last = Some(line.at);
            let line = LogLine { app, at: line.at, source: LogSource::App, name: name.clone(), text };
            self.logs.append_when_room(line).await;
        }
        Ok(())
    }
}
