//! What is written down about a lab before anything of it is made, so that whoever comes next can remove it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::lab::LabSettings;
use crate::network::Network;

/// Where labs keep their things: a short path, since a socket's may have 107 bytes. What begins with a dot is no lab.
pub(crate) const DIRECTORY: &str = "/var/tmp/ambo-lab";
/// For the same reason.
const NAME_BYTES_MAX: usize = 24;

/// A lab, as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Of its network.
    pub(crate) number: u8,
    pub(crate) settings: LabSettings,
    /// How many machines have a member of etcd, from the first on.
    #[serde(default)]
    pub(crate) etcd_members: usize,
}

impl Record {
    /// Gives a lab a number that no other has, and writes it down.
    pub(crate) fn claim(settings: LabSettings) -> anyhow::Result<Self> {
        fs::create_dir_all(DIRECTORY).with_context(|| format!("make {DIRECTORY}"))?;
        let lock = File::create(Path::new(DIRECTORY).join(".lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let taken: Vec<u8> = names()?.iter().filter_map(|name| Self::read(name).ok()??.number.into()).collect();
        let is_free = |number: &u8| !taken.contains(number) && !Network { number: *number }.is_there();
        let number = (0..=u8::MAX).find(is_free).context("no number is free: too many labs")?;
        let record = Self { number, settings, etcd_members: 0 };
        record.write()?;
        Ok(record)
    }

    /// The one of this name, if there is one.
    pub(crate) fn read(name: &str) -> anyhow::Result<Option<Self>> {
        let path = directory(name)?.join("lab.json");
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display()))?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Whole or not at all.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let directory = directory(&self.settings.name)?;
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        let partial = directory.join("lab.json.partial");
        fs::write(&partial, serde_json::to_vec(self)?)?;
        fs::rename(partial, directory.join("lab.json"))?;
        Ok(())
    }
}

/// Where the lab of this name keeps its things.
pub(crate) fn directory(name: &str) -> anyhow::Result<PathBuf> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure!(
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain),
        "`{name}` is no lab's name: up to {NAME_BYTES_MAX} lower-case letters, digits and hyphens"
    );
    Ok(Path::new(DIRECTORY).join(name))
}

fn names() -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(DIRECTORY).with_context(|| format!("list {DIRECTORY}"))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}
