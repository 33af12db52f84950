//! A machine of a lab.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::engine::Engine;
use crate::network::{self, Network};
use crate::{processes, remains};

/// A machine: a network namespace with an engine.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) index: usize,
    pub(crate) network: Network,
    pub(crate) engine: Engine,
    /// What its engine is started with besides.
    pub(crate) flags: Vec<String>,
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
        format!("unix://{}", self.engine.socket().display())
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
        self.engine.start(&self.flags)
    }

    /// Cuts its power: no goodbye, and its memory forgets.
    pub fn kill(&self) {
        // First of all it falls silent.
        let _ = self.network.cable(self.index, false);
        processes::kill_all(self.directory());
        remains::mounts_remove(self.directory());
        for memory in ["run", "memory"] {
            let _ = std::fs::remove_dir_all(self.directory().join(memory));
        }
        let _ = std::fs::remove_file(self.directory().join("pid"));
        self.network.unplug(self.index);
        remains::cgroups_remove(&self.namespace());
    }

    /// Stops its processes in the middle of whatever they do; its connections stay open.
    pub fn pause(&self) {
        processes::of_directory(self.directory()).iter().for_each(|process| process.signal(Signal::STOP));
    }

    /// Lets them go on.
    pub fn resume(&self) {
        processes::of_directory(self.directory()).iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// Pulls its cable.
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
}
