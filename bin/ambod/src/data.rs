//! The data directory: who may read it, and that only one `ambod` uses it at a time.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambo_link::Authority;
use ambo_model::Secret;
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
        let failed = |error: io::Error| unusable(path, error);
        let mut lock = directory_open(path).map_err(failed)?;
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
        // Over what is there, then cut: that takes no space, so a full disk does not keep us from starting.
        let pid = format!("{}\n", std::process::id());
        lock.write_all_at(pid.as_bytes(), 0).and_then(|()| lock.set_len(pid.len() as u64)).map_err(failed)?;
        Ok(Self { path: path.canonicalize().map_err(failed)?, _lock: lock })
    }

    /// The directory, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The authority of the platform's links, as the keeper has laid it down.
    pub(crate) fn authority(&self) -> anyhow::Result<Authority> {
        Ok(Authority::known(&self.platform_id()?, self.read("tls/ca.crt")?, Secret::new(self.read("tls/ca.key")?)))
    }

    /// With what workers' agents ask for their certificates, as the keeper has laid it down.
    pub(crate) fn agent_token(&self) -> anyhow::Result<Secret> {
        Ok(Secret::new(self.read("agents.token")?))
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        let path = self.path.join(name);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// Tells this platform's things on the engine from those of others. Made once.
    pub(crate) fn platform_id(&self) -> anyhow::Result<String> {
        let path = self.path.join("platform-id");
        match fs::read_to_string(&path) {
            Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
            _ => {
                let id = Uuid::new_v4().to_string();
                // Were it lost in a power cut, we would not know our own instances any more.
                ambo_atomic_file::write_private(&path, id.as_bytes()).context("write the platform's id")?;
                Ok(id)
            }
        }
    }
}

/// Makes the directory if need be, closes it to others, and opens the file whose lock means that it is ours.
fn directory_open(path: &Path) -> io::Result<File> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    File::options().read(true).write(true).create(true).truncate(false).open(path.join("ambod.pid"))
}

/// Why the directory cannot be used, with the next step.
pub(crate) fn unusable(path: &Path, error: io::Error) -> anyhow::Error {
    let shown = path.display();
    let user = rustix::process::geteuid().as_raw();
    let next = match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "ambod runs as user {user}, which may not write there: run it as the user that the directory belongs to, hand it \
             over with `chown -R {user} {shown}`, or name another one with --data"
        ),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "there is a file of that name: name a directory with --data".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "it is on a disk that is mounted read-only: mount it writable, or name another one with --data".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "its disk is full: free some space and start again".to_owned()
        }
        _ => "name another one with --data".to_owned(),
    };
    anyhow::Error::new(error).context(format!("cannot use the data directory {shown}: {next}"))
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
    #[tokio::test]
    async fn a_directory_that_cannot_be_used_is_named_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Data::take(&file, false).await.unwrap_err().to_string();
        assert!(error.contains("there is a file of that name") && error.contains("--data"), "{error}");
        let denied = unusable(Path::new("/data"), io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(denied.contains("chown -R") && denied.contains("/data"), "{denied}");
    }

    #[tokio::test]
    async fn a_shorter_process_id_leaves_nothing_of_a_longer_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ambod.pid"), "123456789012345\n").unwrap();
        let _data = Data::take(dir.path(), false).await.unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("ambod.pid")).unwrap(), format!("{}\n", std::process::id()));
    }
}
