//! Processes, as the kernel tells of them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Which file of the kernel's stands for a namespace: device and inode.
pub(crate) type Namespace = (u64, u64);

/// A process that is not a zombie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id, which is another's some time after its end.
    pub id: u32,
    /// Its words, separated by NUL.
    pub command: String,
    /// Who has started it, or looks after it now.
    parent: u32,
    /// When it was started, in the kernel's ticks: with the id it stands for this process and no later one.
    started: u64,
    is_stopped: bool,
    /// A line for each hierarchy, as in `/proc/…/cgroup`.
    cgroups: String,
    network: Option<Namespace>,
}

impl Process {
    /// Zombies are nobody: they have no command, and nothing can be done to them.
    fn read(directory: &Path) -> Option<Self> {
        let id = directory.file_name()?.to_str()?.parse().ok()?;
        let command = String::from_utf8_lossy(&fs::read(directory.join("cmdline")).ok()?).into_owned();
        let status = fs::read_to_string(directory.join("stat")).ok()?;
        // The name stands in brackets and may hold anything.
        let words: Vec<&str> = status.rsplit_once(')')?.1.split_whitespace().collect();
        let state = *words.first()?;
        (state != "Z" && state != "X").then_some(())?;
        Some(Self {
            id,
            command,
            parent: words.get(1)?.parse().ok()?,
            started: words.get(19)?.parse().ok()?,
            is_stopped: state == "T",
            cgroups: fs::read_to_string(directory.join("cgroup")).unwrap_or_default(),
            network: namespace(&directory.join("ns/net")),
        })
    }

    /// All that there are.
    pub(crate) fn all() -> Vec<Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::read(&entry.path())).collect()
    }

    pub(crate) fn is_in_network(&self, network: Namespace) -> bool {
        self.network == Some(network)
    }

    /// Whether it is in this cgroup, or in one below.
    pub(crate) fn is_in_cgroup(&self, name: &str) -> bool {
        let paths = self.cgroups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
        paths.map(|path| Path::new(path.trim_start_matches('/'))).any(|path| path.starts_with(name))
    }

    pub(crate) fn names(&self, directory: &Path) -> bool {
        self.command.contains(&format!("{}/", directory.display()))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Sends it a signal. One that has gone is no error, and whoever has its id by now is spared.
    pub(crate) fn signal(&self, signal: Signal) {
        let Some(pid) = i32::try_from(self.id).ok().and_then(Pid::from_raw) else { return };
        // From here on nobody else can get the id: is it still this one's?
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        let now = Self::read(&Path::new("/proc").join(self.id.to_string()));
        if now.is_some_and(|now| now.started == self.started) {
            let _ = pidfd_send_signal(handle, signal);
        }
    }
}

/// Which namespace a file stands for.
pub(crate) fn namespace(file: &Path) -> Option<Namespace> {
    fs::metadata(file).ok().map(|file| (file.dev(), file.ino()))
}

/// These and all that they have started.
pub(crate) fn below(all: &[Process], mut found: Vec<Process>) -> Vec<Process> {
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.id) {
        let children = all.iter().filter(|process| process.parent == parent);
        let new: Vec<Process> = children.filter(|child| !found.contains(child)).cloned().collect();
        found.extend(new);
        next += 1;
    }
    found
}
