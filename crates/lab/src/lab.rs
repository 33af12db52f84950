//! A lab: made, found again, taken down.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::belongings::Belongings;
use crate::disk;
use crate::engine::Engine;
use crate::etcd::Etcd;
use crate::network::Network;
use crate::node::Node;
use crate::record::{self, Record};

/// Each takes an engine's memory, and a number out of 64.
const NODES_MAX: usize = 32;

/// What a lab is to be.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LabSettings {
    /// Tells labs apart that exist side by side.
    pub name: String,
    /// Machines.
    pub nodes: usize,
    /// Further flags of every engine, such as `--debug`.
    pub flags: Vec<String>,
    /// MiB of a disk of its own that each machine has for the platform, to be filled up or slowed down; none shares this
    /// host's. Takes loop devices.
    pub disk_mib: Option<u64>,
}

/// Some machines. Dropped without [`Lab::keep`], they are taken down.
#[derive(Debug)]
pub struct Lab {
    record: Record,
    directory: PathBuf,
    nodes: Vec<Node>,
    is_kept: bool,
}

impl Lab {
    /// Makes a lab and switches its machines on. One of the same name is taken down first, also after a crash.
    ///
    /// # Errors
    /// When this is not root, or a machine does not come up.
    pub fn up(settings: LabSettings) -> anyhow::Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "a lab needs root: `sudo -E` gives it");
        ensure!((1..=NODES_MAX).contains(&settings.nodes), "a lab has 1 to {NODES_MAX} machines");
        Self::down(&settings.name)?;
        let lab = Self::of(Record::claim(settings)?)?;
        lab.network().up().context("make the lab's network")?;
        if let Some(mib) = lab.record.settings.disk_mib {
            on_each(&lab.nodes, |node| disk::make(node.directory(), mib))?;
        }
        on_each(&lab.nodes, Node::start)?;
        Ok(lab)
    }

    /// The lab of this name, as it is; kept.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(name: &str) -> anyhow::Result<Self> {
        let record = Record::read(name)?.with_context(|| format!("there is no lab `{name}`"))?;
        Ok(Self::of(record)?.keep())
    }

    /// Takes the lab of this name down; none is no error.
    ///
    /// # Errors
    /// When its directory cannot be read or removed.
    pub fn down(name: &str) -> anyhow::Result<()> {
        let Some(record) = Record::read(name)? else { return Ok(()) };
        let lab = Self::of(record)?;
        let directory = lab.directory.clone();
        drop(lab);
        ensure!(!directory.exists(), "{} cannot be removed: something still uses it", directory.display());
        Ok(())
    }

    fn of(record: Record) -> anyhow::Result<Self> {
        let (network, settings) = (Network { number: record.number }, &record.settings);
        let directory = record::directory(&settings.name)?;
        let nodes = (0..settings.nodes).map(|index| {
            let hostname = format!("n{}", index + 1);
            let engine = Engine { directory: directory.join(&hostname), namespace: network.namespace(index), hostname };
            let flags = network.pools(index).into_iter().chain(settings.flags.iter().cloned()).collect();
            let etcd = (index < record.etcd_members).then(|| Etcd::new(network, record.etcd_members));
            Node { index, network, engine, flags, etcd }
        });
        Ok(Self { nodes: nodes.collect(), directory, record, is_kept: false })
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

    /// The host's address on the machines' network.
    #[must_use]
    pub fn gateway(&self) -> String {
        self.network().gateway()
    }

    /// Where the lab keeps its things.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a swarm of its machines, the first `managers` of them managers.
    ///
    /// # Errors
    /// When an engine refuses.
    pub fn swarm(&self, managers: usize) -> anyhow::Result<()> {
        let Some((first, others)) = self.nodes.split_first() else { return Ok(()) };
        let at = |node: &Node| {
            let address = node.address();
            ["advertise-addr", "data-path-addr", "listen-addr"].map(|flag| format!("--{flag}={address}"))
        };
        let [advertise, data, listen] = at(first);
        first.docker(&["swarm", "init", &advertise, &data, &listen])?;
        for (index, node) in others.iter().enumerate() {
            let role = if index + 1 < managers { "manager" } else { "worker" };
            let token = first.docker(&["swarm", "join-token", "-q", role])?;
            let [advertise, data, listen] = at(node);
            let manager = format!("{}:2377", first.address());
            node.docker(&["swarm", "join", &advertise, &data, &listen, "--token", token.trim(), &manager])?;
        }
        Ok(())
    }

    /// Gives the first machines a member of an etcd each, which comes and goes with its machine. Clients need no certificate.
    ///
    /// # Errors
    /// When there is one already, or it does not come up.
    pub fn etcd(&mut self, members: usize) -> anyhow::Result<()> {
        ensure!(self.record.etcd_members == 0, "the lab has an etcd");
        ensure!((1..=self.nodes.len()).contains(&members), "1 to {} machines can be members", self.nodes.len());
        self.record.etcd_members = members;
        self.record.write()?;
        let etcd = Etcd::new(self.network(), members);
        for node in self.nodes.iter_mut().take(members) {
            node.etcd = Some(etcd);
            etcd.start(node)?;
        }
        (0..members).try_for_each(|index| etcd.wait_until_healthy(index))
    }

    /// Copies images of the host's engine to every machine.
    ///
    /// # Errors
    /// When an engine does not do it.
    pub fn load(&self, images: &[&str]) -> anyhow::Result<()> {
        on_each(&self.nodes, |node| node.load(images))
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
            for other in self.nodes.iter().filter(|other| one.index < other.index) {
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
        self.nodes.iter().for_each(Node::kill);
        // What runs on the host for the lab names its directory.
        let cgroup = self.network().bridge();
        Belongings { directory: self.directory.clone(), cgroup, namespace: None }.end();
        self.network().down();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Does it with all at the same time.
fn on_each(nodes: &[Node], act: impl Fn(&Node) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = nodes.iter().map(|node| scope.spawn(|| act(node))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}
