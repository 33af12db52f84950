//! The platform of `cargo xtask cluster up`, with apps on it, to see how it bears something.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use ambo_lab::{Lab, Node, platform};
use anyhow::{Context, ensure};
use serde_json::Value;

/// The machines, and the administrator's way in.
pub(crate) struct Trial {
    pub(crate) lab: Lab,
    env: BTreeMap<String, String>,
}

impl Trial {
    /// Takes the machines of `cluster up`.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let lab = Lab::open("cluster").context("bring a cluster up first: `cargo xtask cluster up`")?;
        Ok(Self { lab, env: env()? })
    }

    /// Makes an app of the example, in place of one of that name.
    pub(crate) fn app(&self, app: &str, count: usize) -> anyhow::Result<()> {
        let work = std::env::temp_dir().join(format!("ambo-{app}-{}", std::process::id()));
        let _ = self.ambo(&["apps", "destroy", "--app", app, "--confirm", app]);
        self.ambo(&["create", app, "--no-remote"])?;
        let example = platform::project(env!("CARGO_MANIFEST_DIR")).join("examples/hello-python");
        done(Command::new("cp").arg("-r").arg(example).arg(&work))?;
        let authority = self.env["AMBO_HOST"].trim_start_matches("http://");
        let remote = format!("http://ambo:{}@{authority}/{app}.git", self.env["AMBO_API_KEY"]);
        for words in [
            vec!["init", "-q", "-b", "main"],
            vec!["add", "-A"],
            vec!["-c", "user.name=chaos", "-c", "user.email=chaos@example.com", "commit", "-q", "-m", "chaos"],
            vec!["push", "-q", &remote, "main"],
        ] {
            done(Command::new("git").current_dir(&work).args(words).stderr(Stdio::null()))?;
        }
        std::fs::remove_dir_all(&work)?;
        self.ambo(&["ps", "scale", &format!("web={count}"), "-a", app]).map(drop)
    }

    /// What `ambo` prints.
    pub(crate) fn ambo(&self, words: &[&str]) -> anyhow::Result<String> {
        self.ambo_at(&self.env["AMBO_HOST"], words)
    }

    /// What `ambo` prints when it asks another node.
    pub(crate) fn ambo_at(&self, host: &str, words: &[&str]) -> anyhow::Result<String> {
        let output = self.command(host, words).output()?;
        ensure!(output.status.success(), "ambo {words:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The rows of a list.
    pub(crate) fn rows(&self, host: &str, words: &[&str]) -> anyhow::Result<Vec<Value>> {
        Ok(serde_json::from_str(&self.ambo_at(host, &[words, &["--json"]].concat())?)?)
    }

    pub(crate) fn command(&self, host: &str, words: &[&str]) -> Command {
        let mut command = Command::new(platform::project(env!("CARGO_MANIFEST_DIR")).join("target/debug/ambo"));
        command.args(words).envs(&self.env).env("AMBO_HOST", host).stdin(Stdio::null());
        command
    }

    /// The address that `ambo` asks by itself.
    pub(crate) fn host(&self) -> &str {
        &self.env["AMBO_HOST"]
    }
}

/// The API through a node.
pub(crate) fn host_of(node: &Node) -> String {
    format!("http://{}:7080", node.address())
}

/// What `cluster up` has written.
fn env() -> anyhow::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string("target/cluster/env").context("bring a cluster up first")?;
    let line = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    Ok(text.lines().filter_map(line).collect())
}

pub(crate) fn done(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "a fault lasts for as long as the seed says")]
pub(crate) fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
