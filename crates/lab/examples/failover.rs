//! How long a plain Swarm takes to have everything running again after a power cut, and what a blip of the network moves.
//! `cargo run -p ambo-lab --example failover -- [rounds]` prints the tables of `docs/cluster-figures.md`. It takes a quarter
//! of an hour a round.

#![allow(clippy::disallowed_methods, reason = "time and other programs are what it is about")]

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use ambo_lab::{Lab, LabSettings, Node};
use anyhow::{Context, bail};

const IMAGE: &str = "python:3.11-slim-bookworm";
const REPLICAS: usize = 6;
const ROUNDS: usize = 3;
/// Pause between two looks: the figures' precision.
const PAUSE: Duration = Duration::from_millis(100);
const BLIP: Duration = Duration::from_secs(3);
/// How long after a blip something may still be moved: the longest grace of a node, its tasks' delay and their start.
const AFTER_BLIP: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(120);

/// What is tried. The third figure that decides, 10 to 19 s without a leader's word until somebody stands for election, cannot
/// be set: the engine has no flag for it and refuses it in its file.
struct Tuning {
    /// Of the swarm, between two words of a node; three without one make it down.
    heartbeat: &'static str,
    /// Of the service.
    restart_delay: &'static str,
}

const TUNINGS: [Tuning; 6] = [
    Tuning { heartbeat: "5s", restart_delay: "5s" },
    Tuning { heartbeat: "2s", restart_delay: "5s" },
    Tuning { heartbeat: "3s", restart_delay: "0s" },
    Tuning { heartbeat: "2s", restart_delay: "0s" },
    Tuning { heartbeat: "1700ms", restart_delay: "0s" },
    Tuning { heartbeat: "1s", restart_delay: "0s" },
];

fn main() -> anyhow::Result<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    for tuning in &TUNINGS {
        let Tuning { heartbeat, restart_delay } = tuning;
        let lab = Lab::up(LabSettings { name: "failover".to_owned(), nodes: 3, ..LabSettings::default() })?;
        lab.load(&[IMAGE])?;
        lab.swarm(3)?;
        lab.nodes()[0].docker(&["swarm", "update", "--dispatcher-heartbeat", heartbeat])?;
        lab.nodes()[0].docker(&["network", "create", "--driver", "overlay", "apps"])?;
        for round in 1..=rounds {
            for leads in [false, true] {
                let who = if leads { "leader" } else { "other" };
                let figure = kill(&Trial::begin(&lab, tuning, leads)?)?;
                say(&format!("| {heartbeat} | {restart_delay} | {round} | {who} killed | {figure} |"))?;
                let figure = blip(&Trial::begin(&lab, tuning, leads)?)?;
                say(&format!("| {heartbeat} | {restart_delay} | {round} | {who} blips | {figure} |"))?;
            }
        }
    }
    Ok(())
}

/// A service spread over all machines, one of which is to suffer.
struct Trial<'lab> {
    victim: &'lab Node,
    others: Vec<&'lab Node>,
}

impl<'lab> Trial<'lab> {
    fn begin(lab: &'lab Lab, tuning: &Tuning, leads: bool) -> anyhow::Result<Self> {
        let leader = wait_until("one leads and all are ready", || leader(lab))?;
        let _ = leader.docker(&["service", "rm", "idle"]);
        wait_until("nothing runs", || (running(lab.nodes()).is_empty()).then_some(()))?;
        let replicas = REPLICAS.to_string();
        leader.docker(&[
            "service",
            "create",
            "--detach",
            "--name",
            "idle",
            "--network",
            "apps",
            "--endpoint-mode",
            "dnsrr",
            "--replicas",
            &replicas,
            "--restart-delay",
            tuning.restart_delay,
            IMAGE,
            "sleep",
            "infinity",
        ])?;
        let share = REPLICAS / lab.nodes().len();
        let is_spread = || lab.nodes().iter().all(|node| running([node]).len() == share);
        wait_until("the service is spread", || is_spread().then_some(()))?;
        let is_victim = |node: &&Node| (node.name() == leader.name()) == leads;
        let victim = lab.nodes().iter().find(is_victim).context("a machine to hit")?;
        let others = lab.nodes().iter().filter(|node| node.name() != victim.name()).collect();
        Ok(Self { victim, others })
    }
}

/// Until the others' managers answer, know it to be down, and run everything.
fn kill(trial: &Trial<'_>) -> anyhow::Result<String> {
    let begun = Instant::now();
    trial.victim.kill();
    let name = trial.victim.name();
    let (answered, down, back) = std::thread::scope(|scope| {
        let statuses = scope.spawn(|| {
            let answered = wait_until("the managers answer", || statuses(trial.others[0])).map(|_| begun.elapsed())?;
            let is_down = |listed: String| listed.contains(&format!("{name} Down"));
            wait_until("it is known", || statuses(trial.others[0]).is_some_and(is_down).then_some(()))?;
            Ok((answered, begun.elapsed()))
        });
        let all_run = || (running(trial.others.iter().copied()).len() == REPLICAS).then_some(());
        wait_until("everything runs", all_run)?;
        let back = begun.elapsed();
        let (answered, down) = statuses.join().unwrap_or_else(|_| bail!("a thread panicked"))?;
        anyhow::Ok((answered, down, back))
    })?;
    trial.victim.start()?;
    let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    Ok(format!("answers {} | down {} | all run {}", seconds(answered), seconds(down), seconds(back)))
}

/// What a moment's silence does.
fn blip(trial: &Trial<'_>) -> anyhow::Result<String> {
    let machines: Vec<&Node> = trial.others.iter().copied().chain([trial.victim]).collect();
    let before = running(machines.iter().copied());
    let begun = Instant::now();
    let mut was_down = false;
    std::thread::scope(|scope| {
        let blip = scope.spawn(|| trial.victim.blip(BLIP));
        while begun.elapsed() < BLIP + AFTER_BLIP {
            was_down |= statuses(trial.others[0]).is_some_and(|listed| listed.contains("Down"));
            std::thread::sleep(PAUSE);
        }
        blip.join().unwrap_or_else(|_| bail!("a thread panicked"))
    })?;
    let after = running(machines.iter().copied());
    let moved = before.difference(&after).count();
    Ok(format!("{moved} of {REPLICAS} moved | {} | {} run", if was_down { "down" } else { "never down" }, after.len()))
}

/// The containers of tasks that these machines run.
fn running<'lab>(nodes: impl IntoIterator<Item = &'lab Node>) -> BTreeSet<String> {
    let filter = "label=com.docker.swarm.service.name=idle";
    let listed = nodes.into_iter().filter_map(|node| node.docker(&["ps", "-q", "--no-trunc", "--filter", filter]).ok());
    listed.flat_map(|ids| ids.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// A line for each machine, its name and its status, as a manager sees them; none while nobody leads.
fn statuses(manager: &Node) -> Option<String> {
    manager.docker(&["node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.ManagerStatus}}"]).ok()
}

/// Who leads, when everybody is there.
fn leader(lab: &Lab) -> Option<&Node> {
    let listed = lab.nodes().iter().find_map(statuses)?;
    (listed.lines().filter(|line| line.contains(" Ready ")).count() == lab.nodes().len()).then_some(())?;
    let leads = listed.lines().find(|line| line.ends_with(" Leader"))?;
    lab.nodes().iter().find(|node| leads.starts_with(node.name()))
}

fn wait_until<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        if let Some(reached) = state() {
            return Ok(reached);
        }
        std::thread::sleep(PAUSE);
    }
    bail!("waited in vain until {what}")
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
