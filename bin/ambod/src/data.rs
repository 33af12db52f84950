//! The data directory: who may read it, and that only one `ambod` uses it at a time.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

/// How long a successor waits for its predecessor to let go.
const PREDECESSOR_WAIT: Duration = Duration::from_secs(90);
/// Pause between two tries.
const PREDECESSOR_POLL: Duration = Duration::from_millis(10);

/// The data directory, held as long as this value lives.
#[derive(Debug)]
pub(crate) struct Data {
    path: PathBuf,
    _lock: File,
}

impl Data {
    /// Makes the directory if need be, and takes it. A successor waits until its predecessor has let go.
    pub(crate) async fn take(path: &Path, successor: bool) -> anyhow::Result<Self> {
        let failed = || format!("use the data directory {}", path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).with_context(failed)?;
        let path = path.canonicalize().with_context(failed)?;
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("ambod.pid"))
            .with_context(failed)?;
        let begun = tokio::time::Instant::now();
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            if !successor || begun.elapsed() > PREDECESSOR_WAIT {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                bail!(
                    "another ambod (process {}) uses {}: stop it, or give this one a directory of its own with --data",
                    pid.trim(),
                    path.display()
                );
            }
            tokio::time::sleep(PREDECESSOR_POLL).await;
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).with_context(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells this platform's things on the engine from those of others. Made once.
    pub(crate) fn platform_id(&self) -> anyhow::Result<String> {
        let path = self.path.join("platform-id");
        match fs::read_to_string(&path) {
            Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
            _ => {
                let id = Uuid::new_v4().to_string();
                let new = self.path.join("platform-id.new");
                fs::write(&new, &id).and_then(|()| fs::rename(&new, &path)).context("write the platform's id")?;
                Ok(id)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_ambod_on_the_same_data_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Data::take(dir.path(), false).await.unwrap();
        let error = Data::take(dir.path(), false).await.unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        let id = first.platform_id().unwrap();
        drop(first);
        assert_eq!(Data::take(dir.path(), false).await.unwrap().platform_id().unwrap(), id);
    }
}
