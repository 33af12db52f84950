//! `ambod backup` and `ambod restore`: for a platform that does not run, and for archives alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ambo_backup::{Backup, Restored, Sources, Stopped, Targets, Unlock, identity_generate, keys_peek};
use ambo_blobs::BlobSettings;
use ambo_store::migrate::{is_unfinished, leased_keys};
use ambo_store::{Page, Store, StoreError};
use anyhow::{Context, bail};

use super::keys::PlatformKeys;
use super::{place, report};
use crate::data::Data;
use crate::settings::Settings;

/// Backs a platform up that is stopped, to a file or a bucket.
pub(crate) async fn create(settings: &Settings, to: Option<&str>, out: &mut impl Write) -> anyhow::Result<()> {
    let to = to.unwrap_or(&settings.backup_to);
    if to.is_empty() {
        bail!("where to? name a file or a bucket with --to");
    }
    let lock = place::lock(&settings.backup_recipients)?;
    let lock = lock.context("who can open the archive? set backup-recipients, or AMBO_BACKUP_PASSPHRASE")?;
    if !Path::new(&settings.data).join("platform-id").exists() {
        bail!("there is no platform in {}", settings.data);
    }
    let data =
        Data::take(Path::new(&settings.data), false).await.context("`ambo platform backup` asks a running one")?;
    let store = crate::state::open(settings, data.path())?;
    crate::state::ensure_whole(&*store).await?;
    ensure_idle(&*store).await?;
    let sources = Sources {
        store,
        blobs: crate::blobs::open(settings, data.path())?,
        repositories: super::repositories(settings, data.path()).await?,
        keys: Arc::new(PlatformKeys::of(data.path())),
        hold: Arc::new(Stopped),
    };
    let backup = Backup { sources, lock, header: super::header(data.path())? };
    let begun = Instant::now();
    let (written, bytes, findings) = if place::is_bucket(to) {
        let (listed, findings) = place::archives(to)?.write(backup).await?;
        (format!("{} to {to}", listed.name), listed.size.as_u64(), findings)
    } else {
        let file = place::NewFile::begin(Path::new(to))?;
        let findings = backup.write_to(&mut file.file()?).await?;
        (to.to_owned(), file.keep()?, findings)
    };
    Ok(report::backed_up(&written, bytes, begun.elapsed(), &findings, out)?)
}

/// In a cluster, who works on the state holds keys with a lease.
async fn ensure_idle(store: &dyn Store) -> anyhow::Result<()> {
    if let Some(key) = leased_keys(store).await.context("read the state")?.first() {
        bail!("the platform is at work, `{key}` is held: `ambo platform backup` asks a running one");
    }
    Ok(())
}

/// Reads an archive to its end.
pub(crate) async fn verify(archive: &str, identity: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    let unlock = place::unlock(identity)?;
    let begun = Instant::now();
    let (name, archive) = place::open(archive).await?;
    let (header, findings) = ambo_backup::verify(archive, unlock).await.with_context(|| format!("verify {name}"))?;
    Ok(report::verified(&name, &header, begun.elapsed(), &findings, out)?)
}

/// Makes a platform of an archive, where there is none.
pub(crate) async fn restore(
    settings: &Settings,
    archive: &str,
    identity: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let unlock = place::unlock(identity)?;
    let data = Data::take(Path::new(&settings.data), false).await?;
    let store = crate::state::open(settings, data.path())?;
    ensure_idle(&*store).await?;
    let restored = restore_to(settings, data.path(), store, archive, unlock).await?;
    report::restored(&restored, out)?;
    Ok(writeln!(out, "next: start ambod, which starts every app")?)
}

/// The same for a cluster's first leader, when the setting `restore-from` names an archive and the cluster has no state yet.
pub(crate) async fn restore_if_empty(settings: &Settings, data: &Path, store: Arc<dyn Store>) -> anyhow::Result<()> {
    if settings.restore_from.is_empty() || !(is_unfinished(&*store).await? || is_empty(&*store).await?) {
        return Ok(());
    }
    tracing::info!(archive = settings.restore_from, "there is no state yet: restoring");
    let unlock = place::unlock(None)?;
    let restored = restore_to(settings, data, store, &settings.restore_from, unlock).await?;
    let mut said = Vec::new();
    report::restored(&restored, &mut said)?;
    for line in String::from_utf8_lossy(&said).lines() {
        tracing::info!("{line}");
    }
    Ok(())
}

/// Whether a store has nothing but keys with a lease.
async fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    let listing = store.list("", Page::default()).await?;
    Ok(!listing.more && listing.entries.iter().all(|entry| entry.is_leased))
}

async fn restore_to(
    settings: &Settings,
    data: &Path,
    store: Arc<dyn Store>,
    archive: &str,
    unlock: Unlock,
) -> anyhow::Result<Restored> {
    let (name, archive) = place::open(archive).await?;
    let targets = Targets {
        store,
        blobs: crate::blobs::open(settings, data)?,
        staging: staging(settings, data),
        repositories: super::repositories(settings, data).await?,
        keys: Arc::new(PlatformKeys::of(data)),
    };
    let restored = ambo_backup::restore(archive, unlock, &targets).await.with_context(|| format!("restore {name}"))?;
    std::fs::remove_dir_all(&targets.staging).context("remove the directory of files that were not whole yet")?;
    Ok(restored)
}

/// Prints an archive's keys as JSON: for `ambo platform install`, which a cluster has them from before it has anything else.
pub(crate) async fn keys(archive: &str, identity: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    let unlock = place::unlock(identity)?;
    let (name, archive) = place::open(archive).await?;
    let (header, keys) = keys_peek(archive, unlock).await.with_context(|| format!("read {name}"))?;
    let texts = keys.iter().map(|(name, key)| (name.as_str(), String::from_utf8_lossy(key)));
    let keys: BTreeMap<_, _> = texts.collect();
    serde_json::to_writer(&mut *out, &serde_json::json!({ "platform": header.platform, "keys": keys }))?;
    Ok(writeln!(out)?)
}

/// On the file system of the registry's objects, where those are files.
fn staging(settings: &Settings, data: &Path) -> PathBuf {
    match BlobSettings::parse(&settings.blobs) {
        Ok(BlobSettings::Disk(directory)) => directory.join("restore"),
        _ => data.join("registry/restore"),
    }
}

/// Makes an identity, and says its recipient.
pub(crate) fn identity(out: &mut impl Write) -> anyhow::Result<()> {
    let (identity, recipient) = identity_generate();
    writeln!(out, "# opens backups that are made for the recipient below: keep it apart from the platform")?;
    writeln!(out, "# recipient: {recipient}")?;
    Ok(writeln!(out, "{}", identity.reveal())?)
}
