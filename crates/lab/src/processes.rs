//! Which processes belong to an engine: those that name its directory, and whatever they have started.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A process that is not a zombie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Who has started it, or looks after it now.
    pub parent: u32,
    /// Its words, separated by NUL.
    pub command: String,
}

impl Process {
    /// Zombies are nobody: they have no command, and nothing can be done to them.
    fn read(directory: &Path) -> Option<Self> {
        let id = directory.file_name()?.to_str()?.parse().ok()?;
        let command = String::from_utf8_lossy(&fs::read(directory.join("cmdline")).ok()?).into_owned();
        let status = fs::read_to_string(directory.join("stat")).ok()?;
        // The name stands in brackets and may hold anything.
        let mut words = status.rsplit_once(')')?.1.split_whitespace();
        let state = words.next()?;
        let parent = words.next()?.parse().ok()?;
        (state != "Z" && state != "X").then_some(Self { id, parent, command })
    }

    /// Sends it a signal; one that has gone is no error.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.id).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::read(&entry.path())).collect()
}

/// The processes whose command lines name something in `directory`, and all that they have started. Never ourselves.
#[must_use]
pub fn of_directory(directory: &Path) -> Vec<Process> {
    let named = format!("{}/", directory.display());
    let ours = std::process::id();
    let all = all();
    let roots = all.iter().filter(|process| process.command.contains(&named) && process.id != ours);
    below(&all, roots.cloned().collect())
}

/// These and all that they have started.
#[must_use]
pub fn below(all: &[Process], mut found: Vec<Process>) -> Vec<Process> {
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.id) {
        let children = all.iter().filter(|process| process.parent == parent);
        let new: Vec<Process> = children.filter(|child| !found.contains(child)).cloned().collect();
        found.extend(new);
        next += 1;
    }
    found
}

/// Kills them until none is left: whoever is killed is followed by others for a moment, since a shim's end is another's cue.
pub(crate) fn kill_all(directory: &Path) {
    loop {
        let processes = of_directory(directory);
        if processes.is_empty() {
            return;
        }
        processes.iter().for_each(|process| process.signal(Signal::KILL));
        std::thread::yield_now();
    }
}
