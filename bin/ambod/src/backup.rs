//! Backups of the platform, and platforms of backups. What an archive is, and how one is made and read, is `ambo-backup`'s.

mod command;
mod hold;
mod keys;
mod place;
mod removals;
mod report;
mod service;
mod timetable;

pub(crate) use command::{create, identity, keys, restore, restore_if_empty, verify};
pub(crate) use removals::{Removals, removals_wait};
pub(crate) use service::{BackupWorker, PlatformBackups};

use std::path::Path;
use std::sync::Arc;

use ambo_backup::{GitDirectory, Header, Repositories};
use ambo_model::Timestamp;
use anyhow::Context;

/// Where the git server keeps the apps' repositories.
fn repositories(data: &Path) -> Arc<dyn Repositories> {
    Arc::new(GitDirectory::new(data.join("repos"), "git"))
}

/// What an archive that is begun now says of itself.
fn header(data: &Path) -> anyhow::Result<Header> {
    let platform = std::fs::read_to_string(data.join("platform-id")).context("read the platform's id")?;
    let made_by = concat!("ambod ", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(Header { platform: platform.trim().to_owned(), made_at: Timestamp::now(), made_by })
}
