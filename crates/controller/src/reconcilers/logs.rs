//! Reads the output of every instance and run into the logs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{Instance, InstanceId, LogLine, LogSource, Timestamp};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::controller::Controller;
use crate::error::{ControllerError, chain};

/// How long until the next look without a nudge.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

impl Controller {
    pub(crate) async fn logs_run(self: Arc<Self>) {
        let begun = Timestamp::now();
        let mut readers: JoinSet<InstanceId> = JoinSet::new();
        let mut read: HashMap<InstanceId, Option<Timestamp>> = HashMap::new();
        while !self.stopping.is_cancelled() {
            if let Err(error) = self.logs_reconcile(begun, &mut readers, &mut read).await {
                tracing::debug!(error = %chain(&error), "cannot look for output to read now");
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.nudge.logs_nudged() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                Some(ended) = readers.join_next() => {
                    if let Ok(instance) = ended {
                        read.insert(instance, Some(Timestamp::now())); // If it starts again, go on from here.
                    }
                }
            }
        }
        readers.abort_all();
    }

    async fn logs_reconcile(
        self: &Arc<Self>,
        begun: Timestamp,
        readers: &mut JoinSet<InstanceId>,
        read: &mut HashMap<InstanceId, Option<Timestamp>>,
    ) -> Result<(), ControllerError> {
        let mut observed = self.scheduler.instances_observe().await?;
        observed.extend(self.scheduler.runs_observe().await?);
        read.retain(|id, _| observed.iter().any(|instance| instance.id == *id));
        for instance in observed {
            let since = match read.get(&instance.id) {
                Some(None) => continue, // Being read.
                Some(ended) if instance.is_running() => *ended,
                Some(_) => continue,
                None if instance.started_at.is_some_and(|started| started < begun) => {
                    self.logs.last_at(instance.workload.app, &instance.name()).await
                }
                None => None,
            };
            read.insert(instance.id.clone(), None);
            readers.spawn(Arc::clone(self).instance_read(instance, since));
        }
        Ok(())
    }

    async fn instance_read(self: Arc<Self>, instance: Instance, since: Option<Timestamp>) -> InstanceId {
        let (app, name) = (instance.workload.app, instance.name());
        if let Ok(mut lines) = self.scheduler.instance_logs(&instance.id, since).await {
            while let Some(Ok(line)) = lines.next().await {
                let text = String::from_utf8_lossy(&line.text).into_owned();
                let line = LogLine { app, at: line.at, source: LogSource::App, name: name.clone(), text };
                self.logs.append_when_room(line).await;
            }
        }
        instance.id
    }
}
