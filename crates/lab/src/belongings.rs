//! What of this host belongs to a machine, found without anybody's memory of it: so it is found after a crash, too.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use crate::processes::{Process, below, namespace};
use crate::{network, remains};

/// Pause between two looks at processes that were sent a signal.
const PAUSE: Duration = Duration::from_millis(2);

/// How to tell what belongs to a machine.
#[derive(Debug, Clone)]
pub struct Belongings {
    /// Its disk. Mounts below are its own.
    pub directory: PathBuf,
    /// The cgroup that its containers are below.
    pub cgroup: String,
    /// Its network namespace, by name: whoever is in it is the machine's. One that shares the host's network has none; its
    /// processes are told by their words, which name something in the directory.
    pub namespace: Option<String>,
}

impl Belongings {
    /// Its processes: those that are in its network or in its cgroup, and all that they have started. Never ourselves.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let network = self.namespace.as_ref().map(|name| namespace(&network::file(name)));
        let ours = std::process::id();
        let all = Process::all();
        let is_root = |process: &&Process| {
            let is_near = match network {
                Some(network) => network.is_some_and(|network| process.is_in_network(network)),
                None => process.names(&self.directory),
            };
            process.id != ours && (is_near || process.is_in_cgroup(&self.cgroup))
        };
        below(&all, all.iter().filter(is_root).cloned().collect())
    }

    /// Kills all of its processes, as a power cut does, and removes what its memory would have forgotten: mounts and cgroups.
    pub fn end(&self) {
        // What is frozen does not even die.
        remains::cgroups_thaw(&self.cgroup);
        self.signal(Signal::KILL, |_| true);
        remains::mounts_remove(&self.directory);
        remains::cgroups_remove(&self.cgroup);
    }

    /// Stops its processes in the middle of whatever they do; its connections stay open.
    pub fn pause(&self) {
        self.signal(Signal::STOP, |process| !process.is_stopped());
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT, Process::is_stopped);
    }

    /// Signals those that are concerned until none is: whoever is met may make others meanwhile, and a shim's end is another's
    /// cue.
    #[allow(clippy::disallowed_methods, reason = "between two looks at other programs")]
    fn signal(&self, signal: Signal, is_concerned: impl Fn(&Process) -> bool) {
        loop {
            let concerned: Vec<Process> = self.processes().into_iter().filter(&is_concerned).collect();
            if concerned.is_empty() {
                return;
            }
            concerned.iter().for_each(|process| process.signal(signal));
            std::thread::sleep(PAUSE);
        }
    }
}
