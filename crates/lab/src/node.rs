//! A machine of a lab.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::belongings::Belongings;
use crate::engine::Engine;
use crate::etcd::Etcd;
use crate::network::{self, Network};

/// A machine: a network namespace with an engine.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) index: usize,
    pub(crate) network: Network,
    pub(crate) engine: Engine,
    /// What its engine is started with besides.
    pub(crate) flags: Vec<String>,
    pub(crate) etcd: Option<Etcd>,
}

impl Node {
    /// Its name: `n1`, `n2` ….
    #[must_use]
    pub fn name(&self) -> &str {
        &self.engine.hostname
    }

    /// Its address on the lab's network.
    #[must_use]
    pub fn address(&self) -> String {
        self.network.address(self.index)
    }

    /// Its engine, as `DOCKER_HOST` names it.
    #[must_use]
    pub fn docker_host(&self) -> String {
        self.engine.address()
    }

    /// Its engine's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.engine.socket()
    }

    /// The name of its network namespace.
    #[must_use]
    pub fn namespace(&self) -> String {
        self.network.namespace(self.index)
    }

    /// Its disk, which outlives a power cut.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.engine.directory
    }

    /// Where clients find its member of etcd, if it has one: an address with its port.
    #[must_use]
    pub fn etcd_endpoint(&self) -> Option<String> {
        self.etcd.map(|etcd| etcd.endpoint(self.index))
    }

    /// What of this host belongs to it.
    #[must_use]
    pub fn belongings(&self) -> Belongings {
        let namespace = self.namespace();
        Belongings { directory: self.directory().to_owned(), cgroup: namespace.clone(), namespace: Some(namespace) }
    }

    /// A command that will run in its network.
    #[must_use]
    pub fn command(&self) -> Command {
        network::inside(&self.namespace())
    }

    /// Runs `docker` on its engine, and gives what it wrote.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn docker(&self, words: &[&str]) -> anyhow::Result<String> {
        self.engine.docker(words)
    }

    /// Runs `docker` on its engine, and gives all that it wrote: logs come on both streams.
    ///
    /// # Errors
    /// When it fails.
    pub fn docker_said(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("docker").args(["--host", &self.docker_host()]).args(words).output()?;
        anyhow::ensure!(output.status.success(), "docker {words:?} failed");
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }

    /// Copies images of the host's engine into its own.
    ///
    /// # Errors
    /// When one of the two engines does not do it.
    pub fn load(&self, images: &[&str]) -> anyhow::Result<()> {
        self.engine.load(images)
    }

    /// Switches it on.
    ///
    /// # Errors
    /// When its network cannot be made, or its engine does not answer.
    pub fn start(&self) -> anyhow::Result<()> {
        if !network::file(&self.namespace()).exists() {
            self.network.plug(self.index)?;
        }
        self.engine.start(&self.flags)?;
        self.etcd.map_or(Ok(()), |etcd| etcd.start(self))
    }

    /// Cuts its power: no goodbye, and its memory forgets.
    pub fn kill(&self) {
        // First of all it falls silent.
        let _ = self.network.cable(self.index, false);
        self.belongings().end();
        for memory in ["run", "memory"] {
            let _ = std::fs::remove_dir_all(self.directory().join(memory));
        }
        let _ = std::fs::remove_file(self.directory().join("pid"));
        self.network.unplug(self.index);
    }

    /// Stops its processes in the middle of whatever they do; its connections stay open.
    pub fn pause(&self) {
        self.belongings().pause();
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.belongings().resume();
    }

    /// Pulls its cable: it hears nobody, and nobody hears it.
    ///
    /// # Errors
    /// When it has none.
    pub fn disconnect(&self) -> anyhow::Result<()> {
        self.network.cable(self.index, false)
    }

    /// Plugs its cable in again.
    ///
    /// # Errors
    /// When it has none.
    pub fn connect(&self) -> anyhow::Result<()> {
        self.network.cable(self.index, true)
    }

    /// Pulls its cable for so long.
    ///
    /// # Errors
    /// When it has none.
    #[allow(clippy::disallowed_methods, reason = "time is what a blip is made of")]
    pub fn blip(&self, duration: Duration) -> anyhow::Result<()> {
        self.disconnect()?;
        std::thread::sleep(duration);
        self.connect()
    }
}
