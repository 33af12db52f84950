//! The instances, found by id and by workload. What happens to them next is known, so that a look costs what has happened
//! since the last one, however many instances there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ambo_model::{InstanceId, WorkloadId};

use super::state::FakeInstance;

/// The instances.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    instances: BTreeMap<InstanceId, FakeInstance>,
    workloads: BTreeMap<WorkloadId, BTreeSet<InstanceId>>,
    /// When something happens to whom, by itself.
    due: BTreeSet<(Duration, InstanceId)>,
}

impl Fleet {
    pub(super) fn get(&self, id: &InstanceId) -> Option<&FakeInstance> {
        self.instances.get(id)
    }

    /// In the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&InstanceId, &FakeInstance)> {
        self.instances.iter()
    }

    /// Those of a workload, one-off instances included.
    pub(super) fn of(&self, workload: &WorkloadId) -> impl Iterator<Item = (&InstanceId, &FakeInstance)> {
        let ids = self.workloads.get(workload).into_iter().flatten();
        ids.filter_map(|id| self.instances.get_key_value(id))
    }

    pub(super) fn add(&mut self, id: InstanceId, instance: FakeInstance) {
        self.workloads.entry(instance.workload.clone()).or_default().insert(id.clone());
        self.due.extend(instance.next().map(|at| (at, id.clone())));
        self.instances.insert(id, instance);
    }

    pub(super) fn remove(&mut self, id: &InstanceId) -> Option<FakeInstance> {
        let instance = self.instances.remove(id)?;
        if let Some(at) = instance.next() {
            self.due.remove(&(at, id.clone()));
        }
        if let Some(ids) = self.workloads.get_mut(&instance.workload) {
            ids.remove(id);
            if ids.is_empty() {
                self.workloads.remove(&instance.workload);
            }
        }
        Some(instance)
    }

    /// Changes an instance, if it is there.
    pub(super) fn change<T>(&mut self, id: &InstanceId, change: impl FnOnce(&mut FakeInstance) -> T) -> Option<T> {
        let instance = self.instances.get_mut(id)?;
        if let Some(at) = instance.next() {
            self.due.remove(&(at, id.clone()));
        }
        let changed = change(instance);
        self.due.extend(instance.next().map(|at| (at, id.clone())));
        Some(changed)
    }

    /// Whoever something happens to until `now`: the first of them.
    pub(super) fn due(&self, now: Duration) -> Option<InstanceId> {
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, id)| id.clone())
    }
}
