//! Which machine is to die.

use std::fmt;
use std::process::Command;
use std::str::FromStr;

use ambo_lab::Node;
use anyhow::{Context, bail};

/// Seconds that a manager may take for an answer: one that still asks the dead leader is silent for long.
const ANSWER_MAX: &str = "2";

/// What the machine that is to die must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Victim {
    /// It leads the swarm.
    SwarmLeader,
    /// Its controller leads the platform.
    Controller,
    /// It leads nothing.
    Neither,
}

/// What a machine leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Roles {
    swarm: bool,
    platform: bool,
}

impl FromStr for Victim {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "swarm-leader" => Self::SwarmLeader,
            "controller" => Self::Controller,
            "neither" => Self::Neither,
            _ => bail!("`{text}` is no victim: use neither, swarm-leader or controller"),
        })
    }
}

impl Victim {
    /// The machine, and what it leads.
    pub(super) fn choose(self, nodes: &[Node]) -> anyhow::Result<(&Node, Roles)> {
        let swarm = nodes.iter().find_map(Roles::swarm_leader).context("nobody leads the swarm")?;
        let platform = nodes.iter().find(|node| leads_platform(node)).map(Node::name).context("no controller leads")?;
        let roles = |node: &Node| Roles { swarm: node.name() == swarm, platform: node.name() == platform };
        let is_it = |node: &&Node| match self {
            Self::SwarmLeader => roles(node).swarm,
            Self::Controller => roles(node).platform,
            Self::Neither => roles(node) == Roles { swarm: false, platform: false },
        };
        let node = nodes.iter().find(is_it).context("no machine is like that")?;
        Ok((node, roles(node)))
    }
}

impl Roles {
    /// Who leads the swarm, as this machine knows; none while nobody does.
    pub(super) fn swarm_leader(node: &Node) -> Option<String> {
        let docker =
            ["docker", "--host", &node.docker_host(), "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"];
        let listed = Command::new("timeout").arg(ANSWER_MAX).args(docker).output().ok()?;
        let listed = String::from_utf8(listed.stdout).ok()?;
        listed.lines().find_map(|line| line.strip_suffix(" Leader")).map(str::to_owned)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match (self.swarm, self.platform) {
            (true, true) => "leads the swarm and the platform",
            (true, false) => "leads the swarm",
            (false, true) => "leads the platform",
            (false, false) => "leads nothing",
        })
    }
}

/// Whether its controller is the last to have said that it leads.
fn leads_platform(node: &Node) -> bool {
    let controller = node.docker(&["ps", "-q", "--filter", "label=ambo.component=controller"]).unwrap_or_default();
    let Some(id) = controller.lines().next() else { return false };
    let said = node.docker_said(&["logs", id]).unwrap_or_default();
    let mut told = said.lines().filter(|line| line.contains("stands by") || line.contains("leads"));
    told.next_back().is_some_and(|line| line.contains("this controller leads"))
}
