//! `cargo xtask failover`: what it costs when a machine dies.
//!
//! It takes the machines of `cargo xtask cluster up`, puts apps on them and load on each node's router, and kills a machine,
//! engine and all, without a word: one that does not lead the swarm, and one that does. It reports how long every app was
//! short of instances, and what became of the requests.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ambo_lab::Node;
use ambo_lab::platform::DOMAIN;
use anyhow::{Context, bail, ensure};

use crate::trial::{Trial, done, host_of, say, wait};

/// Instances of each app.
const COUNT: usize = 2;
/// Load before the machine dies.
const LOAD_BEFORE: Duration = Duration::from_secs(5);
/// How long apps may be short of instances, and a machine that is back may take to be well.
const PATIENCE: Duration = Duration::from_secs(180);
/// Connections to each router.
const CONNECTIONS: usize = 20;
/// Pause of each connection between two requests, in milliseconds: load, not a race for the processors.
const PAUSE_MILLIS: usize = 20;

pub(crate) fn failover(words: &[String]) -> anyhow::Result<()> {
    let (mut apps, mut rounds) = (10, 3);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|value| value.parse().ok()).context("a number is missing");
        match word.as_str() {
            "--apps" => apps = number()?,
            "--rounds" => rounds = number()?,
            _ => bail!("usage: cargo xtask failover [--apps N] [--rounds N]"),
        }
    }
    let apps = Apps::begin(apps)?;
    for round in 1..=rounds {
        apps.round(round, false)?;
        apps.round(round, true)?;
    }
    Ok(())
}

struct Apps {
    trial: Trial,
    names: Vec<String>,
}

impl Apps {
    fn begin(count: usize) -> anyhow::Result<Self> {
        let apps = Self { trial: Trial::open()?, names: (1..=count).map(|number| format!("app-{number}")).collect() };
        for name in &apps.names {
            apps.trial.app(name, COUNT)?;
        }
        Ok(apps)
    }

    /// A machine dies under load, and comes back.
    fn round(&self, round: usize, leads: bool) -> anyhow::Result<()> {
        let first = &self.trial.lab.nodes()[0];
        for name in &self.names {
            // Anew, so that they are spread over all machines again.
            self.trial.ambo(&["ps", "restart", "-a", name])?;
        }
        self.whole_again(first, None)?;
        let victim = self.trial.lab.nodes().iter().find(|node| leads_swarm(node) == leads);
        let victim = victim.context("no machine leads the swarm")?;
        let alive: Vec<&Node> = self.trial.lab.nodes().iter().filter(|node| node.name() != victim.name()).collect();
        let loads = alive.iter().map(|node| Load::on(node, &self.names)).collect::<anyhow::Result<Vec<_>>>()?;
        wait(LOAD_BEFORE);
        victim.kill();
        let short = self.whole_again(alive[0], Some(victim))?;
        let kind = if leads { "led the swarm" } else { "did not lead the swarm" };
        say(&format!("{round}: {} died, which {kind}: every app whole again after {short:.1?}", victim.name()))?;
        for (node, load) in alive.iter().zip(loads) {
            say(&format!("   through {}: {}", node.name(), load.end()?))?;
        }
        victim.start()?;
        let begun = Instant::now();
        while self.trial.lab.nodes().iter().any(|node| !leads_swarm(node) && !is_ready(node)) {
            ensure!(begun.elapsed() < PATIENCE, "{} did not come back", victim.name());
            wait(Duration::from_millis(500));
        }
        Ok(())
    }

    /// Waits until every app has all its instances, none of them on a machine that is off; tells how long it took.
    fn whole_again(&self, through: &Node, off: Option<&Node>) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut short: Vec<&str> = self.names.iter().map(String::as_str).collect();
        while !short.is_empty() {
            short.retain(|name| !self.is_whole(name, through, off));
            ensure!(begun.elapsed() < PATIENCE, "{short:?} are short of instances");
            wait(Duration::from_millis(100));
        }
        Ok(begun.elapsed())
    }

    fn is_whole(&self, app: &str, through: &Node, off: Option<&Node>) -> bool {
        let Ok(rows) = self.trial.rows(&host_of(through), &["ps", "-a", app]) else { return false };
        let on = |node: Option<&str>| off.is_none_or(|off| node != Some(off.name()));
        let up = rows.iter().filter(|row| row["state"] == "up" && on(row["node"].as_str()));
        up.count() == COUNT
    }
}

fn leads_swarm(node: &Node) -> bool {
    let told = node.docker(&["node", "inspect", "self", "--format", "{{.ManagerStatus.Leader}}"]);
    told.is_ok_and(|told| told.trim() == "true")
}

fn is_ready(node: &Node) -> bool {
    node.docker(&["node", "inspect", "self", "--format", "{{.Status.State}}"])
        .is_ok_and(|state| state.trim() == "ready")
}

/// Requests to all apps in turn, through one router.
struct Load(Child);

impl Load {
    fn on(node: &Node, apps: &[String]) -> anyhow::Result<Self> {
        let hosts: Vec<String> = apps.iter().map(|app| format!("\"{app}.{DOMAIN}\"")).collect();
        let script = format!(
            "local hosts, next = {{ {} }}, 0\nfunction request()\n  next = next % #hosts + 1\n  \
             return wrk.format(nil, nil, {{ Host = hosts[next] }})\nend\nfunction delay() return {PAUSE_MILLIS} end\n",
            hosts.join(", ")
        );
        let path = std::env::temp_dir().join(format!("ambo-failover-{}-{}.lua", node.name(), std::process::id()));
        std::fs::write(&path, script)?;
        let url = format!("http://{}/", node.address());
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", &format!("-c{CONNECTIONS}"), "-d86400s", "--timeout", "20s", "--latency", "-s"]);
        Ok(Self(wrk.arg(path).arg(url).stdout(Stdio::piped()).spawn().context("start wrk")?))
    }

    /// What became of the requests, in wrk's words.
    fn end(mut self) -> anyhow::Result<String> {
        done(Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]))?;
        let mut text = String::new();
        if let Some(output) = self.0.stdout.as_mut() {
            std::io::Read::read_to_string(output, &mut text)?;
        }
        self.0.wait()?;
        let told = ["requests in", "99%", "Socket errors", "Non-2xx"];
        let lines = text.lines().map(str::trim).filter(|line| told.iter().any(|word| line.contains(word)));
        Ok(lines.collect::<Vec<_>>().join("; "))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}
