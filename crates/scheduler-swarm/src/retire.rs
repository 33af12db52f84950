//! Stopping exactly those that were asked for.
//!
//! Swarm lets nobody say which instances go when a service shrinks: it takes the last on the fullest nodes, but before
//! any of them those that wait for a node. So those that are to go are made to wait for one:
//!
//! 1. The service is closed: its tasks may from now on run only on a kind of machine that does not exist. Swarm takes that
//!    for a matter of placement, so what runs goes on, and what ends finds no node again.
//! 2. The containers asked for are stopped on the engines of their nodes, each with its grace period. Their slots wait.
//! 3. One change lowers the count by as many and opens the service. Swarm takes away what waits, and nothing else.
//!
//! How many are on their way out stands on the service, so that several callers at once, and whoever starts more in the
//! meantime, add up. A service that is found closed by nobody of this process was left so by a control plane that died:
//! it is opened, its instances come back, and the reconcilers retire them again.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ambo_model::{InstanceId, NodeState, WorkloadId};
use ambo_scheduler::{Scheduler, SchedulerError};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::driver::Cluster;
use crate::runs::Named;
use crate::service::Desired;
use crate::slots::{Seen, Slot, SlotName};
use crate::task::Task;

/// How often Swarm is looked at while it does what it was told.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How long Swarm may take to see that a container has ended, beyond the delay of restarts.
const SETTLE_DURATION_MAX: Duration = Duration::from_secs(30);

impl Cluster {
    pub(crate) async fn workload_shrink(
        &self,
        workload: &WorkloadId,
        retire: &[InstanceId],
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        self.fence_check().await?;
        let seen = self.look().await?;
        let named = self.named(&seen, retire);
        let slots = named.into_iter().filter_map(|named| match named {
            Named::Slot(slot) => Some(slot).filter(|slot| workload_of(slot) == Some(workload)),
            Named::Leaving(_) | Named::Run(..) => None,
        });
        self.slots_retire(slots.map(|slot| slot.name).collect(), grace).await
    }

    pub(crate) async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError> {
        self.fence_check().await?;
        if let Some((node, container)) = Named::run(instance) {
            return self.docker_on(&node).await?.instance_stop(&container, grace).await;
        }
        let seen = self.look().await?;
        for named in self.named(&seen, std::slice::from_ref(instance)) {
            match named {
                Named::Slot(slot) => self.slots_retire(BTreeSet::from([slot.name]), grace).await?,
                Named::Leaving(task) => self.containers_stop(&seen, &[task], grace).await?,
                Named::Run(..) => {}
            }
        }
        Ok(())
    }

    /// Retires slots of one service, and waits for those that another caller retires already.
    async fn slots_retire(&self, slots: BTreeSet<SlotName>, grace: Duration) -> Result<(), SchedulerError> {
        let Some((service, _)) = slots.first().cloned() else { return Ok(()) };
        let asked: BTreeSet<u32> = slots.into_iter().map(|(_, number)| number).collect();
        {
            let retiring = Retiring::begin(self, &service, asked.clone());
            if !retiring.numbers.is_empty() {
                self.numbers_retire(&service, &retiring.numbers, grace).await?;
            }
        }
        while asked.iter().any(|number| self.is_retiring(&service, *number)) {
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    async fn numbers_retire(
        &self,
        service: &str,
        numbers: &BTreeSet<u32>,
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let closed = self.service_change(service, |desired| {
            desired.retiring = desired.retiring.saturating_add(count);
            true
        });
        if closed.await?.is_none() {
            return Ok(());
        }
        let waiting = match self.slots_end(service, numbers, grace).await {
            Ok(waiting) => waiting,
            Err(error) => {
                self.service_open(service, count).await?;
                return Err(error);
            }
        };
        let lowered = self.service_change(service, |desired| {
            desired.replicas = desired.replicas.saturating_sub(count);
            desired.retiring = desired.retiring.saturating_sub(count);
            for slot in &waiting {
                let latest = slot.starts().map(|task| task.created_at).max();
                desired.forgotten.extend(latest.map(|latest| (slot.name.1, latest)));
            }
            true
        });
        match lowered.await? {
            Some(desired) => self.slots_leave(service, desired.replicas).await,
            None => Ok(()),
        }
    }

    /// Stops what runs in the slots, and waits until Swarm has nothing more to run in them. Gives the slots of the service
    /// that wait for a node then.
    async fn slots_end(
        &self,
        service: &str,
        numbers: &BTreeSet<u32>,
        grace: Duration,
    ) -> Result<Vec<Slot>, SchedulerError> {
        let mut deadline = None;
        loop {
            let seen = self.look().await?;
            let Some(found) = seen.services.get(service) else { return Ok(Vec::new()) };
            self.still_closed(&found.desired)?;
            let mut slots = seen.slots();
            slots.retain(|slot| slot.name.0 == service);
            let asked = slots.iter().filter(|slot| numbers.contains(&slot.name.1));
            let busy: Vec<&Task> = asked.filter_map(placed).collect();
            if busy.is_empty() {
                slots.retain(|slot| slot.is_live() && placed(slot).is_none());
                return Ok(slots);
            }
            let running: Vec<Task> = busy.into_iter().filter(|task| task.container.is_some()).cloned().collect();
            self.containers_stop(&seen, &running, grace).await?;
            let deadline =
                *deadline.get_or_insert_with(|| Instant::now() + self.settings.restart_delay + SETTLE_DURATION_MAX);
            if Instant::now() >= deadline {
                let source = "Swarm has not seen them end: they stay until the next try".into();
                return Err(SchedulerError::Engine { doing: "stop instances".to_owned(), source });
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// What is started again in a service that somebody else has opened is not to be stopped.
    fn still_closed(&self, desired: &Desired) -> Result<(), SchedulerError> {
        let (ours, seen) = (self.settings.epoch, desired.epoch);
        if seen > ours {
            return Err(SchedulerError::Deposed { ours, seen });
        }
        if desired.retiring > 0 {
            return Ok(());
        }
        Err(SchedulerError::Engine { doing: "stop instances".to_owned(), source: "somebody wants them again".into() })
    }

    /// Waits until Swarm has taken away what waits for a node; and what it still stops, when all of the service goes.
    async fn slots_leave(&self, service: &str, count: u32) -> Result<(), SchedulerError> {
        let deadline = Instant::now() + SETTLE_DURATION_MAX;
        while Instant::now() < deadline {
            let slots = self.look().await?.slots();
            let left = slots.iter().filter(|slot| slot.name.0 == service && (slot.is_live() || count == 0)).count();
            if left <= count as usize {
                break;
            }
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    pub(crate) async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.fence_check().await?;
        // Whoever is making it finishes first.
        let found = {
            let _alone = self.workloads.lock(workload).await;
            self.service_find(workload).await?
        };
        if let Some(service) = found {
            self.service_remove(&service.id, workload, grace).await?;
        }
        self.network_tidy(workload.app).await
    }

    async fn service_remove(
        &self,
        service: &str,
        workload: &WorkloadId,
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        let seen = self.look().await?;
        let slots: Vec<Slot> = seen.slots().into_iter().filter(|slot| slot.name.0 == service).collect();
        let _retiring = Retiring::begin(self, service, slots.iter().map(|slot| slot.name.1).collect());
        let closed = self.service_change(service, |desired| {
            desired.retiring = desired.replicas.max(1);
            true
        });
        if closed.await?.is_none() {
            return Ok(());
        }
        let tasks = slots.iter().flat_map(|slot| slot.current.iter().chain(&slot.leaving));
        let tasks: Vec<Task> = tasks.filter(|task| task.container.is_some()).cloned().collect();
        if let Err(error) = self.containers_stop(&seen, &tasks, grace).await {
            tracing::warn!(%workload, %error, "Swarm stops what we could not, with a grace period of its own");
        }
        self.service_delete(service).await?;
        self.slots_leave(service, 0).await
    }

    /// Stops containers, each on the engine of its node. What a node had that is down is gone already.
    async fn containers_stop(&self, seen: &Seen, tasks: &[Task], grace: Duration) -> Result<(), SchedulerError> {
        let stops = tasks.iter().filter_map(Task::container).map(|(node, container)| async move {
            if seen.nodes.get(node).is_none_or(|node| node.state == NodeState::Down) {
                return Ok(());
            }
            self.docker_on(node).await?.instance_stop(&InstanceId::new(container), grace).await
        });
        join_all(stops).await.into_iter().collect()
    }

    async fn service_open(&self, service: &str, count: u32) -> Result<(), SchedulerError> {
        let opened = self.service_change(service, |desired| {
            desired.retiring = desired.retiring.saturating_sub(count);
            true
        });
        opened.await.map(drop)
    }

    /// Opens services that a control plane has left closed which is no more.
    pub(crate) async fn abandoned_reopen(&self, seen: &Seen) {
        for (id, service) in &seen.services {
            if !self.is_abandoned(id, &service.desired) {
                continue;
            }
            if let Err(error) = self.service_change(id, |desired| self.abandoned_open(id, desired)).await {
                tracing::warn!(service = %id, %error, "a service that was left closed cannot be opened yet");
            }
        }
    }

    /// Has an abandoned service opened; `false` when it is none.
    pub(crate) fn abandoned_open(&self, service: &str, desired: &mut Desired) -> bool {
        let is_abandoned = self.is_abandoned(service, desired);
        if is_abandoned {
            desired.retiring = 0;
        }
        is_abandoned
    }

    /// Whether a service is closed and nobody here sees to what it was closed for.
    fn is_abandoned(&self, service: &str, desired: &Desired) -> bool {
        desired.retiring > 0 && !self.retiring.lock().contains_key(service)
    }

    /// Whether a slot is on its way out.
    pub(crate) fn is_retiring(&self, service: &str, number: u32) -> bool {
        self.retiring.lock().get(service).is_some_and(|known| known.slots.contains(&number))
    }
}

/// What a slot has on a node, or is about to have there.
fn placed(slot: &Slot) -> Option<&Task> {
    match &slot.current {
        Some(current) => Some(current).filter(|task| task.node.is_some()),
        // It has just ended, and Swarm has not put its successor in line yet.
        None => slot.crashed.last(),
    }
}

fn workload_of(slot: &Slot) -> Option<&WorkloadId> {
    slot.starts().next().map(|task| &task.identity.workload)
}

/// What this process sees to, by service.
pub(crate) type RetiringServices = HashMap<String, RetiringService>;

/// Slots of a service that are on their way out.
#[derive(Debug, Default)]
pub(crate) struct RetiringService {
    slots: BTreeSet<u32>,
    /// Callers that see to some.
    callers: usize,
}

/// Marks slots as being on their way out while it lives.
struct Retiring<'a> {
    cluster: &'a Cluster,
    service: String,
    /// Those that nobody else sees to already.
    numbers: BTreeSet<u32>,
}

impl<'a> Retiring<'a> {
    fn begin(cluster: &'a Cluster, service: &str, numbers: BTreeSet<u32>) -> Self {
        let mut retiring = cluster.retiring.lock();
        let known = retiring.entry(service.to_owned()).or_default();
        known.callers += 1;
        let numbers = numbers.into_iter().filter(|number| known.slots.insert(*number)).collect();
        drop(retiring);
        Self { cluster, service: service.to_owned(), numbers }
    }
}

impl Drop for Retiring<'_> {
    fn drop(&mut self) {
        let mut retiring = self.cluster.retiring.lock();
        let Some(known) = retiring.get_mut(&self.service) else { return };
        known.slots.retain(|number| !self.numbers.contains(number));
        known.callers -= 1;
        if known.callers == 0 {
            retiring.remove(&self.service);
        }
    }
}
