//! What an app runs: its processes and their commands.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::ImageDigest;
use crate::name::ProcessType;

/// How a process is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The image's own entrypoint and command.
    Image,
    /// A Procfile line, run by the image's shell: `/bin/sh -c <line>`.
    Shell(String),
    /// Words handed to the kernel as they stand.
    Argv(Vec<String>),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Image => f.write_str("(the image's own command)"),
            Command::Shell(line) => f.write_str(line),
            Command::Argv(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// One entry of the process table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// How it is started.
    pub command: Command,
    /// Its own image, when it is not the artifact's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDigest>,
}

impl From<Command> for Process {
    /// A process of the artifact's image.
    fn from(command: Command) -> Self {
        Self { command, image: None }
    }
}

/// The processes that a build declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessTable(BTreeMap<ProcessType, Process>);

impl ProcessTable {
    /// The table of an image without Procfile: its own command is `web`.
    #[must_use]
    pub fn image_as_web() -> Self {
        Self::from_iter([(ProcessType::web(), Command::Image.into())])
    }

    /// The entry of a process.
    #[must_use]
    pub fn get(&self, process: &ProcessType) -> Option<&Process> {
        self.0.get(process)
    }

    /// All entries that can be scaled; the release phase is not one of them.
    pub fn scalable(&self) -> impl Iterator<Item = (&ProcessType, &Process)> {
        self.0.iter().filter(|(process, _)| !process.is_release())
    }

    /// The release phase's command, if the build has one.
    #[must_use]
    pub fn release_phase(&self) -> Option<&Command> {
        self.0.get(&ProcessType::release()).map(|process| &process.command)
    }

    /// All entries, in the names' order.
    pub fn iter(&self) -> impl Iterator<Item = (&ProcessType, &Process)> {
        self.0.iter()
    }

    /// Whether the table declares nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ProcessType, Process)> for ProcessTable {
    fn from_iter<I: IntoIterator<Item = (ProcessType, Process)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
