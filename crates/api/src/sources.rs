//! Sources that clients upload before they ask for a build: one file each, found by a secret, gone after an hour.
//!
//! Nothing is kept but the files. The secret for uploading leads to the one for downloading and not back, and the files
//! are named after a hash of that, so that neither lies on the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};
use tempfile::TempPath;

/// How long a source is kept, and how long it may be uploaded.
pub(crate) const SOURCE_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Most sources at a time.
const SOURCES_MAX: usize = 1000;
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;
/// A source that was asked for and not uploaded.
const WANTED: &str = "wanted";
/// A source that was uploaded.
const UPLOADED: &str = "source";

/// The sources of a directory.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    directory: PathBuf,
}

/// The secrets of one source.
#[derive(Debug)]
pub(crate) struct SourceSecrets {
    pub(crate) put: String,
    pub(crate) get: String,
}

impl Sources {
    pub(crate) fn new(uploads: &Path) -> Self {
        Self { directory: uploads.join("sources") }
    }

    /// Makes room for a source. `None`: there are too many.
    pub(crate) fn create(&self, now: SystemTime) -> io::Result<Option<SourceSecrets>> {
        std::fs::create_dir_all(&self.directory)?;
        self.expire(now)?;
        if std::fs::read_dir(&self.directory)?.count() >= SOURCES_MAX {
            return Ok(None);
        }
        let mut bytes = [0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        let put = URL_SAFE_NO_PAD.encode(bytes);
        let get = get_secret(&put);
        std::fs::File::create_new(self.path(&get, WANTED))?;
        Ok(Some(SourceSecrets { put, get }))
    }

    /// Whether a source may be uploaded by this secret now.
    pub(crate) fn is_wanted(&self, put: &str, now: SystemTime) -> bool {
        is_secret(put) && is_young(&self.path(&get_secret(put), WANTED), now)
    }

    /// Takes what was uploaded. A second upload takes the first one's place.
    pub(crate) fn store(&self, put: &str, uploaded: TempPath) -> io::Result<()> {
        uploaded.persist(self.path(&get_secret(put), UPLOADED)).map_err(|error| error.error)
    }

    /// The file of an uploaded source.
    pub(crate) fn find(&self, get: &str, now: SystemTime) -> Option<PathBuf> {
        let path = is_secret(get).then(|| self.path(get, UPLOADED))?;
        is_young(&path, now).then_some(path)
    }

    /// Removes what is older than an hour.
    pub(crate) fn expire(&self, now: SystemTime) -> io::Result<()> {
        remove_older(&self.directory, "", SOURCE_LIFETIME, now)
    }

    fn path(&self, get: &str, kind: &str) -> PathBuf {
        self.directory.join(format!("{}.{kind}", URL_SAFE_NO_PAD.encode(Sha256::digest(get))))
    }
}

/// Removes the files of a directory whose names begin so and that were last written longer ago than `age`.
pub(crate) fn remove_older(directory: &Path, prefix: &str, age: Duration, now: SystemTime) -> io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        let old = now.duration_since(metadata.modified()?).is_ok_and(|passed| passed > age);
        if metadata.is_file() && old && entry.file_name().to_string_lossy().starts_with(prefix) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn get_secret(put: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("the download of {put}")))
}

fn is_secret(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == SECRET_BYTES)
}

fn is_young(path: &Path, now: SystemTime) -> bool {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| now.duration_since(modified).unwrap_or_default() < SOURCE_LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_found_by_its_own_secret_alone_and_for_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let (sources, now) = (Sources::new(dir.path()), SystemTime::from(ambo_model::Timestamp::now()));
        let secrets = sources.create(now).unwrap().unwrap();
        assert!(sources.is_wanted(&secrets.put, now) && !sources.is_wanted(&secrets.get, now));
        assert_eq!(sources.find(&secrets.get, now), None);
        let uploaded = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
        std::fs::write(uploaded.path(), "tar").unwrap();
        sources.store(&secrets.put, uploaded.into_temp_path()).unwrap();
        assert_eq!(std::fs::read(sources.find(&secrets.get, now).unwrap()).unwrap(), b"tar");
        for wrong in [secrets.put.as_str(), "", "../../etc/passwd", "AAAA"] {
            assert_eq!(sources.find(wrong, now), None, "{wrong}");
        }
        let later = now + SOURCE_LIFETIME + Duration::from_secs(5);
        assert!(!sources.is_wanted(&secrets.put, later) && sources.find(&secrets.get, later).is_none());
        sources.expire(later).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("sources")).unwrap().count(), 0);
    }
}
