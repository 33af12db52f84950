//! `cargo xtask chaos`: random faults on a cluster under load, and then the question whether anything was lost.
//!
//! It takes the machines of `cargo xtask cluster up`. Every change that the platform has acknowledged is written down; a minute
//! after the last fault every app must have its release, its config and its count again.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ambo_lab::Node;
use ambo_lab::platform::DOMAIN;
use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::trial::{Trial, done, host_of, say, wait};

/// How long after the last fault everything must be right again.
const RECOVERY: Duration = Duration::from_secs(60);
/// How long a fault lasts, at most.
const FAULT_SECONDS_MAX: u64 = 12;
/// Instances of each app.
const COUNT: usize = 2;

/// What can happen.
#[derive(Debug, Clone, Copy)]
enum Fault {
    KillNode,
    KillController,
    KillEtcd,
    Partition,
    Blip,
    Pause,
    DiskFull,
    DiskSlow,
}

const FAULTS: [Fault; 8] = [
    Fault::KillNode,
    Fault::KillController,
    Fault::KillEtcd,
    Fault::Partition,
    Fault::Blip,
    Fault::Pause,
    Fault::DiskFull,
    Fault::DiskSlow,
];

pub(crate) fn chaos(words: &[String]) -> anyhow::Result<()> {
    let mut faults = 200;
    let mut seed = u64::from(std::process::id());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|value| value.parse().ok()).context("a number is missing");
        match word.as_str() {
            "--faults" => faults = number()?,
            "--seed" => seed = number()?,
            _ => bail!("usage: cargo xtask chaos [--faults N] [--seed N]"),
        }
    }
    say(&format!("{faults} faults, seed {seed}: `cargo xtask chaos --faults {faults} --seed {seed}` does it again"))?;
    let mut run = Run::begin(seed)?;
    for number in 1..=faults {
        run.round(number)?;
    }
    run.end()
}

struct Run {
    trial: Trial,
    random: Random,
    /// The last acknowledged value of each app's variable, and whether a later one was tried without an answer.
    acknowledged: BTreeMap<String, (u64, Vec<u64>)>,
    load: Vec<Child>,
    refused: u64,
}

impl Run {
    fn begin(seed: u64) -> anyhow::Result<Self> {
        let trial = Trial::open()?;
        let mut run = Self { trial, random: Random(seed), acknowledged: BTreeMap::new(), load: Vec::new(), refused: 0 };
        for app in ["chaos-a", "chaos-b", "chaos-c"] {
            run.trial.app(app, COUNT)?;
            run.acknowledged.insert(app.to_owned(), (0, Vec::new()));
        }
        for node in run.trial.lab.nodes() {
            let (url, host) = (format!("http://{}/", node.address()), format!("Host: chaos-a.{DOMAIN}"));
            let wrk = ["-t1", "-c4", "-d86400s", "--timeout", "20s", "-H", &host, &url];
            run.load.push(Command::new("wrk").args(wrk).stdout(Stdio::piped()).spawn().context("start wrk")?);
        }
        Ok(run)
    }

    /// A fault, a change while it lasts, and the end of the fault.
    fn round(&mut self, number: u64) -> anyhow::Result<()> {
        let fault = FAULTS[self.random.below(FAULTS.len())];
        let (victim, other) = (self.random.below(self.trial.lab.nodes().len()), self.random.below(2));
        let duration = Duration::from_secs(1 + self.random.below(FAULT_SECONDS_MAX as usize) as u64);
        let names: Vec<&str> = self.trial.lab.nodes().iter().map(Node::name).collect();
        say(&format!("{number}: {fault:?} {} for {} s", names[victim], duration.as_secs()))?;
        let nodes = self.trial.lab.nodes();
        let (node, second) = (&nodes[victim], &nodes[(victim + 1 + other) % nodes.len()]);
        match fault {
            Fault::KillNode => node.kill(),
            Fault::KillController => component_kill(node, "controller"),
            Fault::KillEtcd => component_kill(node, "etcd"),
            Fault::Partition => self.trial.lab.partition(node, second)?,
            Fault::Blip => node.disconnect()?,
            Fault::Pause => node.pause(),
            Fault::DiskFull => node.disk_fill()?,
            Fault::DiskSlow => node.disk_slow()?,
        }
        let until = Instant::now() + duration;
        let change = self.change_begin(number, &host_of(&nodes[(victim + 1) % nodes.len()]))?;
        wait(until.saturating_duration_since(Instant::now()));
        let node = &self.trial.lab.nodes()[victim];
        match fault {
            Fault::KillNode => node.start()?,
            Fault::Partition | Fault::Blip => self.trial.lab.heal(),
            Fault::Pause => node.resume(),
            Fault::DiskFull => node.disk_free()?,
            Fault::DiskSlow => node.disk_hasten()?,
            Fault::KillController | Fault::KillEtcd => {}
        }
        self.change_end(number, change)?;
        // The platform bears one fault at a time: two of three machines make a majority.
        self.settle()
    }

    /// Begins to change an app's config.
    fn change_begin(&mut self, number: u64, host: &str) -> anyhow::Result<(String, Child)> {
        let apps: Vec<String> = self.acknowledged.keys().cloned().collect();
        let app = apps[self.random.below(apps.len())].clone();
        let mut command = self.trial.command(host, &["config", "set", &format!("CHAOS={number}"), "-a", &app]);
        Ok((app, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?))
    }

    /// Notes whether a change was acknowledged.
    fn change_end(&mut self, number: u64, (app, change): (String, Child)) -> anyhow::Result<()> {
        let answer = change.wait_with_output()?;
        let (last, unclear) = self.acknowledged.entry(app).or_default();
        if answer.status.success() {
            (*last, *unclear) = (number, Vec::new());
        } else {
            self.refused += 1;
            unclear.push(number);
            say(&format!("   refused: {}", String::from_utf8_lossy(&answer.stderr).trim().replace('\n', " | ")))?;
        }
        Ok(())
    }

    /// Waits until the platform is whole again.
    fn settle(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.look() {
            ensure!(begun.elapsed() < RECOVERY * 2, "not whole again after {:?}: {error:#}", begun.elapsed());
            wait(Duration::from_millis(500));
        }
        Ok(())
    }

    /// Whether every app is as it was acknowledged.
    fn look(&self) -> anyhow::Result<()> {
        for (app, (last, unclear)) in &self.acknowledged {
            let config = self.trial.ambo(&["config", "-a", app, "--json"])?;
            let config: Value = serde_json::from_str(&config)?;
            let found: u64 = config["CHAOS"].as_str().and_then(|value| value.parse().ok()).unwrap_or(0);
            ensure!(found == *last || unclear.contains(&found), "{app} has CHAOS={found}, but {last} was acknowledged");
            let rows = self.trial.rows(self.trial.host(), &["ps", "-a", app])?;
            let releases = self.trial.rows(self.trial.host(), &["releases", "-a", app])?;
            let current = releases.iter().find(|release| release["current"] == true);
            let current = current.and_then(|release| release["version"].as_u64());
            let up = rows.iter().filter(|row| row["state"] == "up" && row["release"].as_u64() == current).count();
            ensure!(up == COUNT && rows.len() == COUNT, "{app} has {up} of {COUNT} instances of v{current:?}");
        }
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<()> {
        self.settle()?;
        for wrk in self.load.drain(..) {
            done(Command::new("kill").args(["-s", "INT", &wrk.id().to_string()]))?;
            let report = wrk.wait_with_output()?;
            say(String::from_utf8_lossy(&report.stdout).trim())?;
        }
        say(&format!("No acknowledged write was lost; {} were refused while something was broken.", self.refused))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for wrk in &mut self.load {
            let _ = wrk.kill();
        }
    }
}

/// Kills a component's process; its engine starts it again.
fn component_kill(node: &Node, name: &str) {
    let filter = format!("label=ambo.component={name}");
    if let Ok(listed) = node.docker(&["ps", "-q", "--filter", &filter])
        && let Some(id) = listed.lines().next()
    {
        let _ = node.docker(&["kill", "--signal", "KILL", id]);
    }
}

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap_or(0)
    }
}
