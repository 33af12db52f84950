//! What ties a control plane to the world, so that it can be cut: from then on nothing that the control plane still does
//! has an effect, and nothing answers it. That is `kill -9`, while the store, the engine and the router go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ambo_builder::{BuildError, BuildOutput, BuildRequest, ImageBuilder, ImageImport};
use ambo_controller::ports::{Artifacts, CollectedImages, KeptImagesSource, Routes, ServedCertificate};
use ambo_model::{
    AppId, Artifact, Command, ImageDigest, ImageReference, Instance, InstanceId, InstanceState, RouteTable, Timestamp,
    WorkloadId,
};
use ambo_scheduler::fake::FakeEngine;
use ambo_scheduler::{
    Attached, EngineStatus, ExecSpec, InstanceLog, RunSpec, Scheduler, SchedulerError, SchedulerEvent, WorkloadSpec,
};
use ambo_store::{Committed, Entry, LeaseId, Listing, Page, Revision, Store, StoreError, Transaction, Watch};
use async_trait::async_trait;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::fake_builder::{FakeBuilder, NEVER_READY};
use crate::memory_store::MemoryStore;
use crate::recording_router::RecordingRouter;

/// Most turns of others that a call may wait for.
const DELAY_YIELDS_MAX: u32 = 3;
/// Longest time that a call to the engine takes, in milliseconds.
const ENGINE_DELAY_MAX_MS: u64 = 30;

/// A moment in what a control plane does: before or after the effect of its `n`th step from now, counted from zero. A step
/// is whatever changes the world: a commit, a start, a stop, a build, a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the effect.
    Before(u32),
    /// After the effect, before the control plane learns of it.
    After(u32),
}

/// What happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The control plane is killed.
    Death,
    /// The engine stops answering.
    EngineAway,
}

/// The world as one control plane sees it. Clones are the same line.
#[derive(Clone)]
pub struct Lifeline {
    store: MemoryStore,
    engine: FakeEngine,
    builder: Arc<FakeBuilder>,
    router: Arc<RecordingRouter>,
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for Lifeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lifeline").finish_non_exhaustive()
    }
}

struct State {
    cut: bool,
    fault: Option<(Moment, Fault)>,
    random: Option<StdRng>,
    never_ready: BTreeSet<WorkloadId>,
}

impl Lifeline {
    /// A line to this world. With a seed, calls take time that depends on it.
    #[must_use]
    pub fn new(
        store: MemoryStore,
        engine: FakeEngine,
        builder: Arc<FakeBuilder>,
        router: Arc<RecordingRouter>,
        seed: Option<u64>,
    ) -> Self {
        let random = seed.map(StdRng::seed_from_u64);
        let state = State { cut: false, fault: None, random, never_ready: BTreeSet::new() };
        Self { store, engine, builder, router, state: Arc::new(Mutex::new(state)) }
    }

    /// Cuts it now.
    pub fn cut(&self) {
        self.state.lock().cut = true;
    }

    /// Something happens at a step to come.
    pub fn fault_at(&self, moment: Moment, fault: Fault) {
        self.state.lock().fault = Some((moment, fault));
    }

    /// Whether the fault has happened that was set; true without one.
    #[must_use]
    pub fn fault_happened(&self) -> bool {
        self.state.lock().fault.is_none()
    }

    /// Whether it has been cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.state.lock().cut
    }

    async fn alive(&self) {
        if self.is_cut() {
            std::future::pending::<()>().await;
        }
    }

    /// How long the next call takes: turns of others, and milliseconds of the engine.
    fn delays(&self) -> (u32, u64) {
        let mut state = self.state.lock();
        state.random.as_mut().map_or((0, 0), |random| {
            (random.random_range(0..=DELAY_YIELDS_MAX), random.random_range(0..=ENGINE_DELAY_MAX_MS))
        })
    }

    /// A look at the world.
    async fn look<T>(&self, call: impl Future<Output = T>) -> T {
        self.alive().await;
        for _ in 0..self.delays().0 {
            tokio::task::yield_now().await;
        }
        let answer = call.await;
        self.alive().await;
        answer
    }

    /// A change of the world.
    async fn step<T>(&self, call: impl Future<Output = T>) -> T {
        let (before, after) = self.faults_of_step();
        self.happen(before);
        let answer = self.look(call).await;
        self.happen(after);
        self.alive().await;
        answer
    }

    /// What happens before and after this step.
    fn faults_of_step(&self) -> (Option<Fault>, Option<Fault>) {
        let mut state = self.state.lock();
        match state.fault.take() {
            Some((Moment::Before(0), fault)) => return (Some(fault), None),
            Some((Moment::After(0), fault)) => return (None, Some(fault)),
            Some((Moment::Before(n), fault)) => state.fault = Some((Moment::Before(n - 1), fault)),
            Some((Moment::After(n), fault)) => state.fault = Some((Moment::After(n - 1), fault)),
            None => {}
        }
        (None, None)
    }

    fn happen(&self, fault: Option<Fault>) {
        match fault {
            Some(Fault::Death) => self.cut(),
            Some(Fault::EngineAway) => self.engine.down(),
            None => {}
        }
    }

    /// A change of the engine, which takes time.
    async fn engine_step<T>(&self, call: impl Future<Output = T>) -> T {
        self.step(async {
            tokio::time::sleep(Duration::from_millis(self.delays().1)).await;
            self.alive().await;
            call.await
        })
        .await
    }

    fn seen(&self, mut instances: Vec<Instance>) -> Vec<Instance> {
        let state = self.state.lock();
        for instance in &mut instances {
            if state.never_ready.contains(&instance.workload) && instance.is_running() {
                instance.state = InstanceState::Starting;
                instance.endpoint = None;
            }
        }
        instances
    }

    /// Nobody may stop an instance that requests are sent to.
    fn retired(&self, goes: impl Fn(&Instance) -> bool) {
        for instance in self.engine.instances().iter().filter(|instance| instance.is_running() && goes(instance)) {
            if self.router.sends_to(&instance.id) {
                self.router.fault(format!("{} was stopped while the routes led to it", instance.id));
            }
        }
    }
}

#[async_trait]
impl Store for Lifeline {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.look(self.store.get(key)).await
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        self.look(self.store.list(prefix, page)).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        self.step(self.store.commit(transaction)).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        self.look(self.store.watch(prefix, from)).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.step(self.store.lease_grant(ttl)).await
    }

    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.step(self.store.lease_renew(lease)).await
    }

    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.step(self.store.lease_revoke(lease)).await
    }
}

#[async_trait]
impl Scheduler for Lifeline {
    async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let observed = self.look(self.engine.instances_observe()).await?;
        // What it tells is old by the time that it is heard.
        tokio::time::sleep(Duration::from_millis(self.delays().1)).await;
        Ok(self.seen(observed))
    }

    async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        if spec.command == Command::Shell(NEVER_READY.to_owned()) {
            self.state.lock().never_ready.insert(spec.id.clone());
        }
        self.engine_step(self.engine.workload_ensure(spec)).await
    }

    async fn workload_shrink(
        &self,
        workload: &WorkloadId,
        keep: u32,
        retire: &[InstanceId],
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        self.engine_step(async {
            self.retired(|instance| retire.contains(&instance.id));
            self.engine.workload_shrink(workload, keep, retire, grace).await
        })
        .await
    }

    async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.engine_step(async {
            self.retired(|instance| instance.workload == *workload);
            self.engine.workload_remove(workload, grace).await
        })
        .await
    }

    async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError> {
        self.engine_step(async {
            self.retired(|going| going.id == *instance);
            self.engine.instance_stop(instance, grace).await
        })
        .await
    }

    async fn instance_logs(
        &self,
        instance: &InstanceId,
        since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
        self.look(self.engine.instance_logs(instance, since)).await
    }

    async fn instance_last_lines(&self, instance: &InstanceId, count: usize) -> Result<Vec<String>, SchedulerError> {
        self.look(self.engine.instance_last_lines(instance, count)).await
    }

    async fn instance_exec(&self, instance: &InstanceId, exec: ExecSpec) -> Result<Attached, SchedulerError> {
        self.look(self.engine.instance_exec(instance, exec)).await
    }

    async fn run(&self, run: RunSpec) -> Result<Attached, SchedulerError> {
        self.engine_step(self.engine.run(run)).await
    }

    async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        self.look(self.engine.runs_observe()).await
    }

    async fn image_ensure(&self, image: &ImageReference) -> Result<(), SchedulerError> {
        self.engine_step(self.engine.image_ensure(image)).await
    }

    async fn events(&self) -> Result<BoxStream<'static, SchedulerEvent>, SchedulerError> {
        self.look(self.engine.events()).await
    }

    async fn status(&self) -> Result<EngineStatus, SchedulerError> {
        self.look(self.engine.status()).await
    }
}

#[async_trait]
impl ImageBuilder for Lifeline {
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Artifact, BuildError> {
        self.step(self.builder.build(request, output)).await
    }

    async fn import(&self, import: ImageImport, output: BuildOutput) -> Result<Artifact, BuildError> {
        self.step(self.builder.import(import, output)).await
    }
}

#[async_trait]
impl Routes for Lifeline {
    async fn routes_publish(&self, table: RouteTable) {
        // No turn of others before the effect: the table would not be what was observed.
        self.alive().await;
        self.router.routes_publish(table).await;
        self.step(async {}).await;
    }

    async fn certificates_publish(&self, certificates: Vec<ServedCertificate>) {
        self.alive().await;
        self.router.certificates_publish(certificates).await;
    }

    async fn instances_drained(&self, instances: &[InstanceId], deadline: Duration) {
        self.look(self.router.instances_drained(instances, deadline)).await;
    }
}

/// Images and repositories leave nothing behind here.
#[async_trait]
impl Artifacts for Lifeline {
    async fn app_remove(&self, _app: AppId) -> Result<(), String> {
        self.alive().await;
        Ok(())
    }

    async fn image_hold(&self, _app: AppId, _image: &ImageDigest) -> Result<bool, String> {
        self.alive().await;
        Ok(true)
    }

    async fn image_mount(&self, _from: AppId, _to: AppId, _image: &ImageDigest) -> Result<bool, String> {
        self.alive().await;
        Ok(true)
    }

    async fn image_find(&self, _app: AppId, _path: &str, digest: &ImageDigest) -> Result<Option<ImageDigest>, String> {
        self.alive().await;
        Ok(Some(digest.clone()))
    }

    async fn images_collect(&self, _keeping: &dyn KeptImagesSource) -> Result<CollectedImages, String> {
        self.alive().await;
        Ok(CollectedImages::default())
    }
}
