//! An engine in memory that breaks on request, for simulations.
//!
//! Deterministic: time is the runtime's own (paused or not), ids and addresses count up, nothing is random. Instances run
//! the few words of shell that `script.rs` knows; an image's own command runs for ever.

mod attached;
mod engine;
mod fleet;
mod nodes;
mod script;
mod state;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{ImageReference, Instance, InstanceId, Timestamp, WorkloadId};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use self::script::Script;
use self::state::{Life, State};
use crate::port::SchedulerError;

/// SIGKILL's exit code.
const KILLED: i32 = 128 + 9;

/// The engine. Clones are the same engine.
#[derive(Debug, Clone)]
pub struct FakeEngine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    started: Instant,
    epoch: Timestamp,
}

impl Shared {
    /// The state as of now.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        state.settle(self.now());
        state
    }

    /// The state, when the engine answers.
    fn answer(&self) -> Result<MutexGuard<'_, State>, SchedulerError> {
        let state = self.state();
        if state.faults.is_down {
            return Err(SchedulerError::EngineDown { source: "the fake engine was taken down".into() });
        }
        Ok(state)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeEngine {
    /// An engine without instances, on which everything works. Its clock starts at the Unix epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::with_epoch(Timestamp::UNIX_EPOCH)
    }

    /// The same, with a clock that starts at `epoch`.
    #[must_use]
    pub fn with_epoch(epoch: Timestamp) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), started: Instant::now(), epoch }) }
    }

    /// Kills an instance behind the scheduler's back, as `docker kill` does: it has ended and nobody restarts it.
    pub fn kill(&self, id: &InstanceId) {
        let now = self.shared.now();
        self.change(id, |instance| instance.end(now, KILLED));
    }

    /// Removes an instance behind the scheduler's back.
    pub fn vanish(&self, id: &InstanceId) {
        let mut state = self.shared.state();
        if let Some(instance) = state.remove(id) {
            state.changed(instance.workload.app);
        }
    }

    /// Has so many nodes from now on, `node-1` and so on. To be called before anything is started.
    pub fn nodes_set(&self, count: usize) {
        self.shared.state().nodes = nodes::Nodes::new(count);
    }

    /// Loses a node for good, and with it every instance that is there. Gives who they were.
    pub fn node_lose(&self, name: &str) -> Vec<InstanceId> {
        let mut state = self.shared.state();
        let Some(node) = state.nodes.lose(name) else { return Vec::new() };
        let there = state.instances.iter().filter(|(_, instance)| instance.node == node);
        let ids: Vec<InstanceId> = there.map(|(id, _)| id.clone()).collect();
        for id in &ids {
            if let Some(instance) = state.remove(id) {
                state.changed(instance.workload.app);
            }
        }
        ids
    }

    /// Takes an instance's address, or gives it another one, as a restart of a machine does.
    pub fn address_set(&self, id: &InstanceId, address: Option<IpAddr>) {
        self.change(id, |instance| instance.address = address);
    }

    /// Makes every instance of a workload, those to come included, exit with this code again and again.
    pub fn crash_loop(&self, workload: &WorkloadId, exit_code: i32) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        state.faults.crashing.insert(workload.clone(), exit_code);
        let ids: Vec<InstanceId> = state.instances.of(workload).map(|(id, _)| id.clone()).collect();
        for id in ids {
            state.instances.change(&id, |instance| {
                instance.script = Script::crash(exit_code);
                if instance.is_up() {
                    instance.life = Life::Up { since: now, line_count: 0 };
                }
            });
        }
    }

    /// Makes the next `count` starts fail for this reason.
    pub fn starts_fail(&self, count: usize, reason: &str) {
        self.shared.state().faults.start_failures = std::iter::repeat_n(reason.to_owned(), count).collect();
    }

    /// Makes starts take this long from now on.
    pub fn starts_take(&self, duration: Duration) {
        self.shared.state().faults.start_duration = duration;
    }

    /// Makes instances sit their whole grace period out from now on, or not.
    pub fn sigterm_ignored(&self, ignored: bool) {
        self.shared.state().faults.ignores_sigterm = ignored;
    }

    /// Makes an image impossible to pull.
    pub fn image_lost(&self, image: &ImageReference) {
        self.shared.state().faults.missing_images.insert(image.to_string());
    }

    /// Makes the engine stop answering. Instances go on.
    pub fn down(&self) {
        self.shared.state().faults.is_down = true;
    }

    /// Makes the engine answer again.
    pub fn up(&self) {
        self.shared.state().faults.is_down = false;
    }

    /// Every instance as it is, even when the engine is down; one-off instances excepted.
    #[must_use]
    pub fn instances(&self) -> Vec<Instance> {
        let state = self.shared.state();
        self.observed(&state, state::Kind::Instance)
    }

    /// How many instances were ever started.
    #[must_use]
    pub fn started_count(&self) -> u64 {
        self.shared.state().started_count
    }

    fn observed(&self, state: &State, kind: state::Kind) -> Vec<Instance> {
        self.seen(state, state.instances.iter().filter(|(_, instance)| instance.kind == kind))
    }

    fn seen<'a>(
        &self,
        state: &'a State,
        instances: impl Iterator<Item = (&'a InstanceId, &'a state::FakeInstance)>,
    ) -> Vec<Instance> {
        let now = self.shared.now();
        let epoch = self.shared.epoch;
        instances.map(|(id, instance)| instance.observed(id, state.nodes.name(instance.node), now, epoch)).collect()
    }

    fn change(&self, id: &InstanceId, change: impl FnOnce(&mut state::FakeInstance)) {
        let mut state = self.shared.state();
        let changed = state.instances.change(id, |instance| {
            change(instance);
            instance.workload.app
        });
        if let Some(app) = changed {
            state.changed(app);
        }
    }
}
