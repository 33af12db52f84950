//! Backups of the platform, and platforms of backups. What an archive is, and how one is made and read, is `ambo-backup`'s.

mod command;
mod hold;
mod keys;
mod place;
mod removals;
mod report;
mod repositories;
mod service;
mod timetable;

pub(crate) use command::{create, identity, keys, restore, restore_if_empty, verify};
pub(crate) use removals::{Removals, removals_wait};
pub(crate) use repositories::PlatformRepositories;
pub(crate) use service::{BackupWorker, PlatformBackups};

use std::path::Path;
use std::sync::Arc;

use ambo_backup::{Header, Repositories};
use ambo_model::Timestamp;
use anyhow::Context;

use crate::settings::Settings;

/// The repositories of a platform that does not run.
async fn repositories(settings: &Settings, data: &Path) -> anyhow::Result<Arc<dyn Repositories>> {
    let settings = crate::blobs::git_settings(settings, data)?;
    let kept = ambo_gitreceive::Repositories::open(settings.clone()).await?;
    Ok(Arc::new(PlatformRepositories::new(kept, &settings)))
}

/// What an archive that is begun now says of itself.
fn header(data: &Path) -> anyhow::Result<Header> {
    let platform = std::fs::read_to_string(data.join("platform-id")).context("read the platform's id")?;
    let made_by = concat!("ambod ", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(Header { platform: platform.trim().to_owned(), made_at: Timestamp::now(), made_by })
}
