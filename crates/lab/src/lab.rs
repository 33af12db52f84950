//! A lab: made, found again, taken down.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::network::Network;
use crate::node::Node;
use crate::remains;

/// Where labs keep their things: a short path, since a socket's may have 107 bytes.
const DIRECTORY: &str = "/var/tmp/ambo-lab";

/// What a lab is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabSettings {
    /// Tells labs apart that exist side by side.
    pub name: String,
    /// Machines.
    pub nodes: usize,
    /// Further flags of every engine.
    pub flags: Vec<String>,
}

/// What is written down before anything is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    number: u8,
    settings: LabSettings,
}

/// Some machines. Dropped without [`Lab::keep`], they are taken down.
#[derive(Debug)]
pub struct Lab {
    record: Record,
    nodes: Vec<Node>,
    is_kept: bool,
}

impl Lab {
    /// Makes a lab and switches its machines on. One of the same name is taken down first, also after a crash.
    ///
    /// # Errors
    /// When this is not root, or a machine does not come up.
    pub fn up(settings: LabSettings) -> anyhow::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("a lab needs root: `sudo -E` gives it");
        }
        Self::down(&settings.name)?;
        let record = Record { number: Network::claim().context("make the lab's bridge")?.number, settings };
        let directory = directory(&record.settings.name);
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        fs::write(directory.join("lab.json"), serde_json::to_vec(&record)?)?;
        let lab = Self::of(record);
        lab.network().up().context("make the lab's bridge")?;
        std::thread::scope(|scope| {
            let starting: Vec<_> = lab.nodes.iter().map(|node| scope.spawn(|| node.start())).collect();
            starting.into_iter().try_for_each(|started| started.join().unwrap_or_else(|_| bail!("a thread panicked")))
        })?;
        Ok(lab)
    }

    /// The lab of this name, as it is; kept.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(name: &str) -> anyhow::Result<Self> {
        let record = record(name)?.with_context(|| format!("there is no lab `{name}`"))?;
        Ok(Self::of(record).keep())
    }

    /// Takes the lab of this name down; none is no error.
    ///
    /// # Errors
    /// When its directory cannot be read or removed.
    pub fn down(name: &str) -> anyhow::Result<()> {
        let Some(record) = record(name)? else { return Ok(()) };
        drop(Self::of(record));
        let directory = directory(name);
        anyhow::ensure!(!directory.exists(), "{} cannot be removed: something still uses it", directory.display());
        Ok(())
    }

    fn of(record: Record) -> Self {
        let (network, settings) = (Network { number: record.number }, &record.settings);
        let directory = directory(&settings.name);
        let nodes = (0..settings.nodes).map(|index| {
            let hostname = format!("n{}", index + 1);
            let engine = Engine { directory: directory.join(&hostname), namespace: network.namespace(index), hostname };
            Node { index, network, engine, flags: settings.flags.clone() }
        });
        Self { nodes: nodes.collect(), record, is_kept: false }
    }

    /// Its machines.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The machine of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn node(&self, name: &str) -> anyhow::Result<&Node> {
        let names: Vec<&str> = self.nodes.iter().map(Node::name).collect();
        let found = self.nodes.iter().find(|node| node.name() == name);
        found.with_context(|| format!("there is no machine `{name}`: there are {}", names.join(", ")))
    }

    /// Where the lab keeps its things.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        directory(&self.record.settings.name)
    }

    /// Makes a swarm of its machines, the first `managers` of them managers.
    ///
    /// # Errors
    /// When an engine refuses.
    pub fn swarm(&self, managers: usize) -> anyhow::Result<()> {
        let Some((first, others)) = self.nodes.split_first() else { return Ok(()) };
        let at = |node: &Node| {
            [format!("--advertise-addr={}", node.address()), format!("--listen-addr={}:2377", node.address())]
        };
        let [advertise, listen] = at(first);
        first.docker(&["swarm", "init", &advertise, &listen])?;
        for (index, node) in others.iter().enumerate() {
            let role = if index + 1 < managers { "manager" } else { "worker" };
            let token = first.docker(&["swarm", "join-token", "-q", role])?;
            let [advertise, listen] = at(node);
            let manager = format!("{}:2377", first.address());
            node.docker(&["swarm", "join", &advertise, &listen, "--token", token.trim(), &manager])?;
        }
        Ok(())
    }

    /// Copies images of the host's engine to every machine.
    ///
    /// # Errors
    /// When an engine does not do it.
    pub fn load(&self, images: &[&str]) -> anyhow::Result<()> {
        self.nodes.iter().try_for_each(|node| node.load(images))
    }

    /// Lets two machines hear nothing of each other.
    ///
    /// # Errors
    /// When one of them is off.
    pub fn partition(&self, one: &Node, other: &Node) -> anyhow::Result<()> {
        self.network().cut(one.index, other.index)
    }

    /// Ends all partitions, and plugs in every cable.
    pub fn heal(&self) {
        for one in &self.nodes {
            for other in &self.nodes {
                self.network().heal(one.index, other.index);
            }
            let _ = one.connect();
        }
    }

    /// Leaves the machines on when this value goes.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.is_kept = true;
        self
    }

    fn network(&self) -> Network {
        Network { number: self.record.number }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        for node in &self.nodes {
            node.resume();
            node.kill();
        }
        self.network().down();
        remains::mounts_remove(&self.directory());
        let _ = fs::remove_dir_all(self.directory());
    }
}

fn directory(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

fn record(name: &str) -> anyhow::Result<Option<Record>> {
    let path = directory(name).join("lab.json");
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display()))?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}
