//! Where archives are, and with what they are closed and opened, as people write it.

use std::path::{Path, PathBuf};

use ambo_backup::{ArchiveName, Archives, Lock, Recipient, Unlock};
use ambo_blobs::{BlobSettings, Bucket, Variables};
use ambo_model::Secret;
use anyhow::{Context, bail};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncRead;
use url::Url;

/// The variable with the passphrase.
const PASSPHRASE: &str = "AMBO_BACKUP_PASSPHRASE";

/// The variable with an identity, where there is no file for it.
const IDENTITY: &str = "AMBO_BACKUP_IDENTITY";

/// An archive as it is read.
pub(super) type ArchiveRead = Box<dyn AsyncRead + Send + Unpin>;

/// Opens the bucket that archives are kept in.
pub(super) fn archives(place: &str) -> anyhow::Result<Archives> {
    let settings = BlobSettings::parse(place).context("where archives are kept")?;
    Ok(Archives::new(Bucket::open(&settings, &Variables::from_environment())?))
}

/// Whether a bucket is named, as opposed to a file.
pub(super) fn is_bucket(place: &str) -> bool {
    place.starts_with("disk:") || place.contains("://")
}

/// Recipients, if there are any, or else the passphrase of the environment, if there is one.
pub(super) fn lock(recipients: &str) -> anyhow::Result<Option<Lock>> {
    let recipients = recipients.split(',').map(str::trim).filter(|text| !text.is_empty());
    let recipients: Vec<Recipient> =
        recipients.map(str::parse).collect::<Result<_, _>>().context("the setting `backup-recipients`")?;
    let lock = match (recipients.is_empty(), given(PASSPHRASE)) {
        (false, _) => Lock::Recipients(recipients),
        (true, Some(passphrase)) => Lock::Passphrase(passphrase),
        (true, None) => return Ok(None),
    };
    lock.check().with_context(|| format!("close archives with {PASSPHRASE}"))?;
    Ok(Some(lock))
}

fn given(variable: &str) -> Option<Secret> {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map(Secret::new)
}

/// An identity, in a file or of the environment, or else the environment's passphrase.
pub(super) fn unlock(identity: Option<&Path>) -> anyhow::Result<Unlock> {
    let unlock = match (identity, given(IDENTITY), given(PASSPHRASE)) {
        (Some(path), _, _) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            Unlock::Identities(Secret::new(text))
        }
        (None, Some(identity), _) => Unlock::Identities(identity),
        (None, None, Some(passphrase)) => Unlock::Passphrase(passphrase),
        (None, None, None) => {
            bail!("what opens the archive? give its passphrase in {PASSPHRASE}, or an identity with --identity-file")
        }
    };
    unlock.check()?;
    Ok(unlock)
}

/// Opens an archive by its file's path, `-` for standard input, or in a bucket by its URL; a bucket's URL alone is its newest.
pub(super) async fn open(archive: &str) -> anyhow::Result<(String, ArchiveRead)> {
    if archive == "-" {
        return Ok(("standard input".to_owned(), Box::new(tokio::io::stdin())));
    }
    if !is_bucket(archive) {
        let file = File::open(archive).await.with_context(|| format!("open {archive}"))?;
        return Ok((archive.to_owned(), Box::new(file)));
    }
    let (place, named) = split(archive);
    let archives = archives(&place)?;
    let name = match named {
        Some(name) => name,
        None => archives.list().await?.pop().with_context(|| format!("there is no archive in {place}"))?.name,
    };
    Ok((name.to_string(), Box::new(archives.read(&name).await?)))
}

/// The bucket, and the archive in it if one is named.
fn split(archive: &str) -> (String, Option<ArchiveName>) {
    if let Some(path) = archive.strip_prefix("disk:") {
        let path = PathBuf::from(path);
        let name = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let directory = path.parent().filter(|_| name.is_some()).unwrap_or(&path);
        return (format!("disk:{}", directory.display()), name);
    }
    let Ok(mut url) = Url::parse(archive) else { return (archive.to_owned(), None) };
    let name = url.path_segments().and_then(|mut parts| parts.next_back()?.parse::<ArchiveName>().ok());
    if name.is_some()
        && let Ok(mut parts) = url.path_segments_mut()
    {
        parts.pop();
    }
    (url.to_string(), name)
}

/// A file that is in its place when it is whole, and gone unless it is kept.
pub(super) struct NewFile {
    path: PathBuf,
    new: NamedTempFile,
}

impl NewFile {
    /// Begins a file beside its place, which must be free.
    pub(super) fn begin(path: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            bail!("{} is there already: name another file", path.display());
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let new =
            NamedTempFile::new_in(directory).with_context(|| format!("make a file in {}", directory.display()))?;
        Ok(Self { path: path.to_owned(), new })
    }

    /// What is to be written to.
    pub(super) fn file(&self) -> anyhow::Result<File> {
        Ok(File::from_std(self.new.reopen()?))
    }

    /// Moves it to its place, durably. Gives its size, in bytes.
    pub(super) fn keep(self) -> anyhow::Result<u64> {
        let kept = self.new.as_file().sync_all().and_then(|()| self.new.as_file().metadata());
        let bytes = kept.with_context(|| format!("write {}", self.path.display()))?.len();
        self.new.persist_noclobber(&self.path).with_context(|| format!("write {}", self.path.display()))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_in_a_bucket_is_told_from_the_bucket() {
        let name = "ambo-0a1b2c3d-20261123T150000Z.ambo";
        for (text, bucket, named) in [
            (format!("s3://b/p/{name}?region=x"), "s3://b/p?region=x", true),
            ("s3://b/p?region=x".to_owned(), "s3://b/p?region=x", false),
            (format!("disk:/srv/backups/{name}"), "disk:/srv/backups", true),
            ("disk:/srv/backups".to_owned(), "disk:/srv/backups", false),
        ] {
            let (place, found) = split(&text);
            assert_eq!((place.as_str(), found.is_some()), (bucket, named), "{text}");
        }
        assert!(!is_bucket("backup.ambo") && !is_bucket("/srv/backup.ambo"));
    }
}
