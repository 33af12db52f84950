//! What the fake engine knows. Time passes only when somebody looks: a look settles everything up to now.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ambo_model::{AppId, AppName, Instance, InstanceId, InstanceState, Timestamp, WorkloadId};

use super::fleet::Fleet;
use super::nodes::Nodes;
use super::script::Script;

/// An instance that has been up this long is not crashing any more.
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// First wait before a restart; doubles up to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// How long an ended one-off instance's output stays.
const RUN_LINGER: Duration = Duration::from_secs(5);
/// Lines of output kept per instance.
const LOG_LINES_MAX: usize = 10_000;
/// Changes kept for slow listeners.
const CHANGES_MAX: usize = 1_024;

/// Everything.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) instances: Fleet,
    pub(super) nodes: Nodes,
    pub(super) changes: VecDeque<(u64, AppId)>,
    pub(super) change_count: u64,
    pub(super) faults: Faults,
    pub(super) started_count: u64,
    log_count: u64,
}

/// What is broken.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) is_down: bool,
    pub(super) start_failures: VecDeque<String>,
    pub(super) start_duration: Duration,
    pub(super) ignores_sigterm: bool,
    pub(super) missing_images: BTreeSet<String>,
    pub(super) crashing: BTreeMap<WorkloadId, i32>,
}

/// What a one-off instance is, beside an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Instance,
    /// Its streams are driven by whoever is attached.
    AttachedRun,
    DetachedRun,
}

#[derive(Debug)]
pub(super) struct FakeInstance {
    pub(super) workload: WorkloadId,
    pub(super) app_name: AppName,
    pub(super) index: u32,
    pub(super) kind: Kind,
    pub(super) port: u16,
    /// Its place in the list of nodes.
    pub(super) node: usize,
    pub(super) address: Option<IpAddr>,
    pub(super) script: Script,
    pub(super) env: BTreeMap<String, String>,
    pub(super) life: Life,
    pub(super) is_stopping: bool,
    pub(super) restarts: u32,
    pub(super) exit_code: Option<i32>,
    pub(super) log: VecDeque<LogEntry>,
}

#[derive(Debug, Clone)]
pub(super) struct LogEntry {
    pub(super) number: u64,
    pub(super) at: Duration,
    pub(super) text: String,
}

/// Times are counted from the engine's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Starting { until: Duration },
    Up { since: Duration, line_count: usize },
    BackingOff { until: Duration },
    Ended { at: Duration },
}

impl State {
    /// Lets everything happen that happens until `now`.
    pub(super) fn settle(&mut self, now: Duration) {
        while let Some(id) = self.instances.due(now) {
            let log_count = &mut self.log_count;
            let happened = self.instances.change(&id, |instance| {
                let mut steps = 0;
                while instance.advance(now, log_count) {
                    steps += 1;
                }
                (steps, instance.workload.app, instance.is_over(now))
            });
            let Some((steps, app, is_over)) = happened else { continue };
            (0..steps).for_each(|_| self.changed(app));
            if is_over {
                self.remove(&id);
            }
        }
    }

    /// Takes an instance away; its place is free.
    pub(super) fn remove(&mut self, id: &InstanceId) -> Option<FakeInstance> {
        let instance = self.instances.remove(id)?;
        self.nodes.leave(instance.node);
        Some(instance)
    }

    /// Tells listeners.
    pub(super) fn changed(&mut self, app: AppId) {
        self.change_count += 1;
        self.changes.push_back((self.change_count, app));
        if self.changes.len() > CHANGES_MAX {
            self.changes.pop_front();
        }
    }

    /// A new id and an address for it.
    pub(super) fn place(&mut self) -> (InstanceId, IpAddr) {
        self.started_count += 1;
        let [.., high, middle, low] = self.started_count.to_be_bytes();
        (InstanceId::new(format!("fake-{:06}", self.started_count)), Ipv4Addr::new(10, high, middle, low).into())
    }
}

impl FakeInstance {
    /// Takes one step towards `now`; says whether there was one.
    fn advance(&mut self, now: Duration, log_count: &mut u64) -> bool {
        match self.life {
            Life::Starting { until } if until <= now => self.life = Life::Up { since: until, line_count: 0 },
            Life::BackingOff { until } if until <= now => {
                self.restarts += 1;
                self.life = Life::Up { since: until, line_count: 0 };
            }
            Life::Up { since, line_count } if self.kind != Kind::AttachedRun => {
                return self.live(now, since, line_count, log_count);
            }
            _ => return false,
        }
        true
    }

    fn live(&mut self, now: Duration, since: Duration, line_count: usize, log_count: &mut u64) -> bool {
        let timeline = self.script.timeline();
        let due = timeline.lines.iter().take_while(|(at, _)| since + *at <= now).count();
        for (at, text) in timeline.lines.iter().take(due).skip(line_count) {
            *log_count += 1;
            self.log.push_back(LogEntry { number: *log_count, at: since + *at, text: text.clone() });
        }
        let surplus_count = self.log.len().saturating_sub(LOG_LINES_MAX);
        self.log.drain(..surplus_count);
        self.life = Life::Up { since, line_count: due };
        let Some((lasted, exit_code)) = timeline.end.filter(|(at, _)| since + *at <= now) else { return false };
        self.exit_code = Some(exit_code);
        let at = since + lasted;
        if self.kind == Kind::Instance {
            let steps = if lasted >= STEADY_AFTER { 0 } else { self.restarts.min(16) };
            self.life = Life::BackingOff { until: at + (BACKOFF_FIRST * (1 << steps)).min(BACKOFF_MAX) };
        } else {
            self.life = Life::Ended { at };
        }
        true
    }

    /// When something happens to it by itself.
    pub(super) fn next(&self) -> Option<Duration> {
        match self.life {
            Life::Starting { until } | Life::BackingOff { until } => Some(until),
            Life::Up { since, line_count } if self.kind != Kind::AttachedRun => {
                let timeline = self.script.timeline();
                let line = timeline.lines.get(line_count).map(|(at, _)| *at);
                line.into_iter().chain(timeline.end.map(|(at, _)| at)).min().map(|at| since + at)
            }
            Life::Ended { at } if self.kind != Kind::Instance => Some(at + RUN_LINGER),
            Life::Up { .. } | Life::Ended { .. } => None,
        }
    }

    /// Whether what is left of a one-off instance goes.
    fn is_over(&self, now: Duration) -> bool {
        matches!(self.life, Life::Ended { at } if self.kind != Kind::Instance && now >= at + RUN_LINGER)
    }

    pub(super) fn end(&mut self, now: Duration, exit_code: i32) {
        self.exit_code = Some(exit_code);
        self.life = Life::Ended { at: now };
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.life, Life::Up { .. })
    }

    /// As observers see it.
    pub(super) fn observed(&self, id: &InstanceId, node: &str, now: Duration, epoch: Timestamp) -> Instance {
        let (state, started_at) = match self.life {
            Life::Ended { .. } => (InstanceState::Exited { exit_code: self.exit_code }, None),
            _ if self.is_stopping => (InstanceState::Stopping, None),
            Life::Starting { .. } => (InstanceState::Starting, None),
            Life::BackingOff { .. } => (InstanceState::Crashed { exit_code: self.exit_code }, None),
            Life::Up { since, .. } if self.restarts > 0 && now < since + STEADY_AFTER => {
                (InstanceState::Crashed { exit_code: self.exit_code }, Some(since))
            }
            Life::Up { since, .. } => (InstanceState::Running, Some(since)),
        };
        let address = self.address.filter(|_| self.is_up());
        Instance {
            id: id.clone(),
            workload: self.workload.clone(),
            app_name: self.app_name.clone(),
            index: self.index,
            state,
            endpoint: address.map(|address| SocketAddr::new(address, self.port)),
            node: node.to_owned(),
            restarts: self.restarts,
            started_at: started_at.map(|since| epoch + since),
        }
    }
}
