//! The fake engine as a scheduler.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{AppName, Command, ImageReference, Instance, InstanceId, ProcessType, Timestamp, WorkloadId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::script::Script;
use super::state::{FakeInstance, Kind, Life, State};
use super::{FakeEngine, Shared, attached};
use crate::attached::{Attached, AttachedControl, TerminalSize};
use crate::plan::plan;
use crate::port::{EngineStatus, ExecSpec, InstanceLog, RunSpec, Scheduler, SchedulerError, SchedulerEvent};
use crate::workload::WorkloadSpec;

/// How often a follower looks for news.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// The port of one-off instances, which nobody reaches.
const RUN_PORT: u16 = 0;

#[async_trait]
impl Scheduler for FakeEngine {
    async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let state = self.shared.answer()?;
        Ok(self.observed(&state, Kind::Instance))
    }

    async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        let mut state = self.shared.answer()?;
        image_check(&state, &spec.image)?;
        let ours = state.instances.of(&spec.id).filter(|(_, instance)| instance.kind == Kind::Instance);
        let plan = plan(spec, &self.seen(&state, ours));
        for removal in plan.remove {
            state.remove(&removal.instance);
        }
        for index in plan.start {
            let what = format!("{}.{index}", spec.id.process);
            let env = spec.env.iter().map(|(key, value)| (key.clone(), value.reveal().to_owned()));
            let new = New { workload: &spec.id, app_name: &spec.app_name, index, what: &what, command: &spec.command };
            self.start(&mut state, &new, env.collect(), Kind::Instance, spec.port)?;
        }
        Ok(())
    }

    async fn workload_shrink(
        &self,
        _workload: &WorkloadId,
        _keep: u32,
        retire: &[InstanceId],
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        self.stop(retire, grace).await
    }

    async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        let ours: Vec<InstanceId> = {
            let state = self.shared.answer()?;
            let all = state.instances.of(workload).filter(|(_, instance)| instance.kind == Kind::Instance);
            all.map(|(id, _)| id.clone()).collect()
        };
        self.stop(&ours, grace).await
    }

    async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError> {
        self.stop(std::slice::from_ref(instance), grace).await
    }

    async fn instance_logs(
        &self,
        instance: &InstanceId,
        since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
        self.known(&*self.shared.answer()?, instance)?;
        let follower = LogFollower {
            shared: Arc::clone(&self.shared),
            instance: instance.clone(),
            seen: 0,
            since,
            ready: VecDeque::new(),
        };
        Ok(stream::unfold(Some(follower), LogFollower::step).boxed())
    }

    async fn instance_last_lines(&self, instance: &InstanceId, count: usize) -> Result<Vec<String>, SchedulerError> {
        let state = self.shared.answer()?;
        let log = &self.known(&state, instance)?.log;
        Ok(log.iter().skip(log.len().saturating_sub(count)).map(|entry| entry.text.clone()).collect())
    }

    async fn instance_exec(&self, instance: &InstanceId, exec: ExecSpec) -> Result<Attached, SchedulerError> {
        let state = self.shared.answer()?;
        let host = self.known(&state, instance)?;
        if !host.is_up() {
            return Err(SchedulerError::InstanceGone(instance.clone()));
        }
        let mut env = host.env.clone();
        env.extend(exec.env);
        let script =
            script(&exec.command, &env).map_err(|reason| SchedulerError::Start { what: "exec".to_owned(), reason })?;
        drop(state);
        Ok(attached::attach(&self.shared, instance.clone(), script, exec.terminal))
    }

    async fn run(&self, run: RunSpec) -> Result<Attached, SchedulerError> {
        let mut state = self.shared.answer()?;
        image_check(&state, &run.image)?;
        let (process, index) = run.name.split_once('.').unwrap_or((&run.name, "1"));
        let process = ProcessType::parse(process).unwrap_or_else(|_| ProcessType::run());
        let workload = WorkloadId { app: run.app, release: run.release, process, generation: 0 };
        let index = index.parse().unwrap_or(1);
        let new = New { workload: &workload, app_name: &run.app_name, index, what: &run.name, command: &run.command };
        let env = run.env.iter().map(|(key, value)| (key.clone(), value.reveal().to_owned())).collect();
        let kind = if run.detach { Kind::DetachedRun } else { Kind::AttachedRun };
        let (id, script) = self.start(&mut state, &new, env, kind, RUN_PORT)?;
        drop(state);
        if run.detach { Ok(self.detached(id)) } else { Ok(attached::attach(&self.shared, id, script, run.terminal)) }
    }

    async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let state = self.shared.answer()?;
        let mut runs = self.observed(&state, Kind::AttachedRun);
        runs.extend(self.observed(&state, Kind::DetachedRun).into_iter().filter(Instance::is_running));
        runs.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(runs)
    }

    async fn image_ensure(&self, image: &ImageReference) -> Result<(), SchedulerError> {
        image_check(&*self.shared.answer()?, image)
    }

    async fn events(&self) -> Result<BoxStream<'static, SchedulerEvent>, SchedulerError> {
        let seen = self.shared.answer()?.change_count;
        let listener = (Arc::clone(&self.shared), seen);
        Ok(stream::unfold(listener, |(shared, seen)| async move {
            loop {
                let next = {
                    let state = shared.answer().ok()?;
                    state.changes.iter().find(|(number, _)| *number > seen).copied()
                };
                if let Some((number, app)) = next {
                    return Some((SchedulerEvent { app: Some(app) }, (shared, number)));
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        })
        .boxed())
    }

    async fn status(&self) -> Result<EngineStatus, SchedulerError> {
        drop(self.shared.answer()?);
        Ok(EngineStatus { engine: "fake".to_owned(), version: "1".to_owned(), memory_bytes: 1 << 33, cpu_count: 2 })
    }
}

/// What a start needs beside the environment.
struct New<'a> {
    workload: &'a WorkloadId,
    app_name: &'a AppName,
    index: u32,
    what: &'a str,
    command: &'a Command,
}

impl FakeEngine {
    fn start(
        &self,
        state: &mut State,
        new: &New<'_>,
        mut env: BTreeMap<String, String>,
        kind: Kind,
        port: u16,
    ) -> Result<(InstanceId, Script), SchedulerError> {
        let refused = |reason| SchedulerError::Start { what: new.what.to_owned(), reason };
        if let Some(reason) = state.faults.start_failures.pop_front() {
            return Err(refused(reason));
        }
        env.insert("DYNO".to_owned(), new.what.to_owned());
        let script = match state.faults.crashing.get(new.workload) {
            Some(exit_code) => Script::crash(*exit_code),
            None => script(new.command, &env).map_err(refused)?,
        };
        let node = state.nodes.take().ok_or_else(|| refused("every node is lost".to_owned()))?;
        let (id, address) = state.place();
        let now = self.shared.now();
        let until = if kind == Kind::Instance { now + state.faults.start_duration } else { now };
        let instance = FakeInstance {
            workload: new.workload.clone(),
            app_name: new.app_name.clone(),
            index: new.index,
            kind,
            port,
            node,
            address: Some(address),
            script: script.clone(),
            env,
            life: Life::Starting { until },
            is_stopping: false,
            restarts: 0,
            exit_code: None,
            log: VecDeque::new(),
        };
        state.instances.add(id.clone(), instance);
        state.changed(new.workload.app);
        Ok((id, script))
    }

    async fn stop(&self, ids: &[InstanceId], grace: Duration) -> Result<(), SchedulerError> {
        let ignores_sigterm = {
            let mut state = self.shared.answer()?;
            for id in ids {
                let stopping = state.instances.change(id, |instance| {
                    instance.is_stopping = true;
                    instance.workload.app
                });
                if let Some(app) = stopping {
                    state.changed(app);
                }
            }
            state.faults.ignores_sigterm
        };
        if ignores_sigterm {
            tokio::time::sleep(grace).await;
        }
        let mut state = self.shared.answer()?;
        for id in ids {
            if let Some(instance) = state.remove(id) {
                state.changed(instance.workload.app);
            }
        }
        Ok(())
    }

    fn known<'a>(&self, state: &'a State, id: &InstanceId) -> Result<&'a FakeInstance, SchedulerError> {
        state.instances.get(id).ok_or_else(|| SchedulerError::InstanceGone(id.clone()))
    }

    fn detached(&self, instance: InstanceId) -> Attached {
        let control = DetachedControl { engine: self.clone(), instance };
        Attached { input: Box::pin(tokio::io::sink()), output: stream::empty().boxed(), control: Box::new(control) }
    }
}

fn script(command: &Command, env: &BTreeMap<String, String>) -> Result<Script, String> {
    Script::parse(command, &|name| env.get(name).cloned().unwrap_or_default())
}

fn image_check(state: &State, image: &ImageReference) -> Result<(), SchedulerError> {
    if state.faults.missing_images.contains(image.as_str()) {
        return Err(SchedulerError::ImagePull { image: image.clone(), source: "manifest unknown".into() });
    }
    Ok(())
}

/// Control of a one-off instance to which nobody is attached.
struct DetachedControl {
    engine: FakeEngine,
    instance: InstanceId,
}

impl AttachedControl for DetachedControl {
    fn resize(&self, _size: TerminalSize) -> futures::future::BoxFuture<'_, Result<(), SchedulerError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn exit_code(&self) -> futures::future::BoxFuture<'_, Result<i32, SchedulerError>> {
        Box::pin(async {
            loop {
                match self.engine.shared.answer()?.instances.get(&self.instance) {
                    None => return Ok(super::KILLED),
                    Some(FakeInstance { life: Life::Ended { .. }, exit_code, .. }) => {
                        return Ok(exit_code.unwrap_or(super::KILLED));
                    }
                    Some(_) => {}
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        })
    }

    fn terminate(&self) -> futures::future::BoxFuture<'_, Result<(), SchedulerError>> {
        Box::pin(self.engine.instance_stop(&self.instance, Duration::ZERO))
    }
}

/// Reads an instance's lines as they come.
struct LogFollower {
    shared: Arc<Shared>,
    instance: InstanceId,
    seen: u64,
    since: Option<Timestamp>,
    ready: VecDeque<InstanceLog>,
}

impl LogFollower {
    async fn step(follower: Option<Self>) -> Option<(Result<InstanceLog, SchedulerError>, Option<Self>)> {
        let mut follower = follower?;
        loop {
            if let Some(log) = follower.ready.pop_front() {
                return Some((Ok(log), Some(follower)));
            }
            match follower.look() {
                Err(error) => return Some((Err(error), None)),
                Ok(is_gone) if is_gone && follower.ready.is_empty() => return None,
                Ok(_) if follower.ready.is_empty() => tokio::time::sleep(LOOK_INTERVAL).await,
                Ok(_) => {}
            }
        }
    }

    /// Takes what is new; says whether the instance is gone.
    fn look(&mut self) -> Result<bool, SchedulerError> {
        let shared = Arc::clone(&self.shared);
        let state = shared.answer()?;
        let Some(instance) = state.instances.get(&self.instance) else { return Ok(true) };
        let seen = self.seen;
        for entry in instance.log.iter().filter(|entry| entry.number > seen) {
            self.seen = entry.number;
            // Numbers make the times of lines differ that were written at once.
            let at = shared.epoch + entry.at + Duration::from_nanos(entry.number);
            if self.since.is_none_or(|since| at > since) {
                self.ready.push_back(InstanceLog { at, text: Bytes::from(entry.text.clone()) });
            }
        }
        Ok(false)
    }
}
