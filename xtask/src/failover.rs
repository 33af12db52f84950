//! `cargo xtask failover`: what users notice when a machine dies, in figures.
//!
//! It takes the machines of `cargo xtask cluster up`. Every router is asked for every app all the time; one machine's power is
//! cut, and what failed, where, and how long it took until every app had all its instances again is written down.

mod load;
mod victim;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use ambo_lab::Node;
use ambo_lab::platform::DOMAIN;
use anyhow::{Context, bail, ensure};

use self::load::Load;
use self::victim::{Roles, Victim};
use crate::trial::{Trial, host_of, say, wait};

/// Instances of each app.
const COUNT: usize = 2;
/// How long the load runs before the kill, and after all is right again.
const MARGIN: Duration = Duration::from_secs(5);
/// Pause between two looks: the figures' precision, with the time that a look takes.
const PAUSE: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_secs(180);
const USAGE: &str = "usage: cargo xtask failover [--apps N] [--rounds N] [--victim neither|swarm-leader|controller]";

pub(crate) fn failover(words: &[String]) -> anyhow::Result<()> {
    let (mut apps, mut rounds, mut victims) = (10, 3, vec![Victim::Neither, Victim::SwarmLeader]);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().context(USAGE)?;
        match word.as_str() {
            "--apps" => apps = value.parse().context(USAGE)?,
            "--rounds" => rounds = value.parse().context(USAGE)?,
            "--victim" => victims = vec![value.parse()?],
            _ => bail!(USAGE),
        }
    }
    let apps = Apps::begin(apps)?;
    for number in 1..=rounds {
        victims.iter().try_for_each(|victim| apps.round(number, *victim))?;
    }
    Ok(())
}

/// Apps on all machines.
struct Apps {
    trial: Trial,
    names: Vec<String>,
}

impl Apps {
    fn begin(count: usize) -> anyhow::Result<Self> {
        let (trial, names) = (Trial::open()?, (1..=count).map(|number| format!("app-{number}")).collect());
        let apps = Self { trial, names };
        apps.names.iter().try_for_each(|app| apps.trial.app(app, COUNT))?;
        Ok(apps)
    }

    /// One machine's death, and its return.
    fn round(&self, number: usize, victim: Victim) -> anyhow::Result<()> {
        wait_until("everything is well", || self.is_well().then_some(()))?;
        self.spread()?;
        let nodes = self.trial.lab.nodes();
        let (node, roles) = victim.choose(nodes)?;
        let others: Vec<&Node> = nodes.iter().filter(|other| other.name() != node.name()).collect();
        let host = host_of(others.first().context("one machine is not enough")?);
        let hosts: Vec<String> = self.names.iter().map(|app| format!("{app}.{DOMAIN}")).collect();
        let load: Vec<Load> = nodes.iter().map(|node| Load::start(node, &hosts)).collect::<Result<_, _>>()?;
        wait(MARGIN);
        let before = self.counts(&host, None)?;
        let there: usize = self.counts(&host, Some(node))?.iter().zip(&before).map(|(rest, all)| all - rest).sum();
        say(&format!(
            "{number}: {} dies ({roles}), with {there} of {} instances",
            node.name(),
            before.iter().sum::<usize>()
        ))?;
        let begun = Instant::now();
        node.kill();
        let (swarm, api, full) = self.watch(&host, node, &others, begun)?;
        wait(MARGIN);
        say(&format!("  the swarm is led after {swarm}, the API answers after {api}"))?;
        say(&format!("  full count after {}", summary(&full)))?;
        for (router, load) in nodes.iter().zip(load) {
            let place = if router.name() == node.name() { "the dead one" } else { "lives" };
            say(&format!("  router {} ({place}): {}", router.name(), load.stop()?))?;
        }
        node.start()
    }

    /// Until the swarm has a leader, the API answers, and all instances of each app run elsewhere.
    fn watch(
        &self,
        host: &str,
        dead: &Node,
        others: &[&Node],
        begun: Instant,
    ) -> anyhow::Result<(String, String, BTreeMap<String, Duration>)> {
        thread::scope(|scope| {
            let swarm = scope.spawn(|| {
                let led =
                    || others.iter().find_map(|node| Roles::swarm_leader(node)).filter(|name| name != dead.name());
                wait_until("the swarm has a leader", led).map(|_| seconds(begun.elapsed()))
            });
            let api = scope.spawn(|| {
                let answered = || self.trial.ambo_at(host, &["apps"]).ok();
                wait_until("the API answers", answered).map(|_| seconds(begun.elapsed()))
            });
            let mut full = BTreeMap::new();
            wait_until("every app has all instances", || {
                let running = running(others);
                for app in &self.names {
                    if running.iter().filter(|of| *of == app).count() >= COUNT {
                        full.entry(app.clone()).or_insert_with(|| begun.elapsed());
                    }
                }
                (full.len() == self.names.len()).then_some(())
            })?;
            let join = |thread: thread::ScopedJoinHandle<'_, anyhow::Result<String>>| {
                thread.join().unwrap_or_else(|_| bail!("a thread panicked"))
            };
            Ok((join(swarm)?, join(api)?, full))
        })
    }

    /// Whether every component of every machine is well, and every app has its instances.
    fn is_well(&self) -> bool {
        let status = |node: &Node| {
            let words = ["platform", "status", "--engine", &node.docker_host()];
            self.trial.ambo(&words).is_ok()
        };
        let is_full = |app: &String| self.up(self.trial.host(), app, None).is_ok_and(|up| up == COUNT);
        self.trial.lab.nodes().iter().all(status) && self.names.iter().all(is_full)
    }

    /// Spreads the apps over all machines again: what is moved away does not come back by itself.
    fn spread(&self) -> anyhow::Result<()> {
        for app in &self.names {
            self.trial.ambo(&["ps", "restart", "-a", app])?;
        }
        wait_until("all apps are spread", || self.is_well().then_some(()))
    }

    /// Instances of each app that are up, and not on this machine.
    fn counts(&self, host: &str, besides: Option<&Node>) -> anyhow::Result<Vec<usize>> {
        self.names.iter().map(|app| self.up(host, app, besides)).collect()
    }

    fn up(&self, host: &str, app: &str, besides: Option<&Node>) -> anyhow::Result<usize> {
        let rows = self.trial.rows(host, &["ps", "-a", app])?;
        let is_elsewhere = |node: &str| besides.is_none_or(|besides| besides.name() != node);
        let up = rows.iter().filter(|row| row["state"] == "up" && row["node"].as_str().is_some_and(is_elsewhere));
        Ok(up.count())
    }
}

/// The app of each instance that runs on these machines, as their engines say: the platform's own answer is slow while a machine
/// is dead that is not known to be.
fn running(nodes: &[&Node]) -> Vec<String> {
    let listed = ["ps", "--filter", "label=ambo.kind=instance", "--format", "{{.Label \"ambo.app\"}}"];
    let listed = nodes.iter().filter_map(|node| node.docker(&listed).ok());
    listed.flat_map(|apps| apps.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The first app, the one in the middle, the last.
fn summary(full: &BTreeMap<String, Duration>) -> String {
    let mut times: Vec<Duration> = full.values().copied().collect();
    times.sort();
    let at = |index: usize| times.get(index).copied().map_or_else(|| "never".to_owned(), seconds);
    let last = times.len().saturating_sub(1);
    format!("{} (first app), {} (half of them), {} (all {})", at(0), at(last / 2), at(last), times.len())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn wait_until<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(reached) = state() {
            return Ok(reached);
        }
        ensure!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        wait(PAUSE);
    }
}
