//! Output of instances, through restarts: container after container, each on the engine of its node.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{InstanceId, NodeId, Timestamp};
use ambo_scheduler::{InstanceLog, Scheduler, SchedulerError};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::driver::Cluster;
use crate::runs::Named;
use crate::slots::Slot;
use crate::task::Task;

/// How often an instance is looked at that has nothing to read.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

type Lines = BoxStream<'static, Result<InstanceLog, SchedulerError>>;

/// The instance's output after `since`, until it is gone.
pub(crate) async fn follow(
    cluster: &Arc<Cluster>,
    instance: &InstanceId,
    since: Option<Timestamp>,
) -> Result<Lines, SchedulerError> {
    if let Named::Run(node, container) = cluster.find(instance).await? {
        let lines = cluster.docker_on(&node).await?.instance_logs(&container, since).await;
        return lines.map_err(|error| of(instance, error));
    }
    let follower =
        Follower { cluster: Arc::clone(cluster), instance: instance.clone(), since, read: HashSet::new(), lines: None };
    Ok(stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next().await {
            Ok(line) => Some((Ok(line), Some(follower))),
            Err(SchedulerError::InstanceGone(_)) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed())
}

/// The last lines, oldest first. Of an instance that never came to run, why it did not.
pub(crate) async fn last_lines(
    cluster: &Cluster,
    instance: &InstanceId,
    line_count: usize,
) -> Result<Vec<String>, SchedulerError> {
    let starts: Vec<Task> = match cluster.find(instance).await? {
        Named::Run(node, container) => {
            let lines = cluster.docker_on(&node).await?.instance_last_lines(&container, line_count).await;
            return lines.map_err(|error| of(instance, error));
        }
        Named::Leaving(task) => vec![task],
        Named::Slot(slot) => slot.starts().cloned().collect(),
    };
    let mut lines = Vec::new();
    for task in starts.iter().rev() {
        let Some((node, container)) = task.container() else { continue };
        let wanted = line_count.saturating_sub(lines.len());
        if wanted == 0 {
            break;
        }
        let container = InstanceId::new(container);
        match cluster.docker_on(node).await?.instance_last_lines(&container, wanted).await {
            Ok(mut earlier) => {
                earlier.append(&mut lines);
                lines = earlier;
            }
            Err(SchedulerError::InstanceGone(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if lines.is_empty() && line_count > 0 {
        lines.extend(starts.iter().rev().filter(|task| task.container.is_none()).find_map(|task| task.error.clone()));
    }
    Ok(lines)
}

/// The error of a container as that of its instance.
fn of(instance: &InstanceId, error: SchedulerError) -> SchedulerError {
    match error {
        SchedulerError::InstanceGone(_) => SchedulerError::InstanceGone(instance.clone()),
        error => error,
    }
}

struct Follower {
    cluster: Arc<Cluster>,
    instance: InstanceId,
    since: Option<Timestamp>,
    /// Containers that have been read to their end.
    read: HashSet<String>,
    /// The container that is being read.
    lines: Option<(String, Lines)>,
}

impl Follower {
    /// The next line. An instance that is gone is an error.
    async fn next(&mut self) -> Result<InstanceLog, SchedulerError> {
        loop {
            let Some((container, lines)) = &mut self.lines else {
                self.open().await?;
                continue;
            };
            if let Some(line) = lines.next().await {
                return line;
            }
            self.read.insert(std::mem::take(container));
            self.lines = None;
        }
    }

    /// Opens the next container, once there is one.
    async fn open(&mut self) -> Result<(), SchedulerError> {
        loop {
            let starts: Vec<Task> = match self.cluster.find(&self.instance).await? {
                Named::Slot(slot) => unread(&slot, &self.read).cloned().collect(),
                Named::Leaving(task) if !self.read.contains(task.container.as_deref().unwrap_or_default()) => {
                    vec![task]
                }
                Named::Leaving(_) | Named::Run(..) => return Err(SchedulerError::InstanceGone(self.instance.clone())),
            };
            for (node, container) in starts.iter().filter_map(Task::container) {
                if self.open_on(node, container).await? {
                    return Ok(());
                }
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// `false` when the container is gone.
    async fn open_on(&mut self, node: &NodeId, container: &str) -> Result<bool, SchedulerError> {
        let docker = self.cluster.docker_on(node).await?;
        match docker.logs_until_ended(&InstanceId::new(container), self.since).await {
            Ok(lines) => {
                self.lines = Some((container.to_owned(), lines));
                Ok(true)
            }
            Err(SchedulerError::InstanceGone(_)) => {
                self.read.insert(container.to_owned());
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// The starts of the slot's instance that have not been read, oldest first.
fn unread<'a>(slot: &'a Slot, read: &'a HashSet<String>) -> impl Iterator<Item = &'a Task> {
    slot.starts().filter(|task| task.container.as_ref().is_some_and(|container| !read.contains(container)))
}
