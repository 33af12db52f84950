//! The keys of a platform: what is not in its state, and without which its state is of no use.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

/// Keys could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There is another one of the same name.
    #[error("there is another `{0}` already: restore to a platform that has never run")]
    Taken(String),
    /// A file cannot be read or written.
    #[error("use the key `{name}`")]
    Failed {
        /// Which.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// Named secrets: the master key, the platform's id, the authority of its links, the host keys of its SSH server. A backup does
/// not know what they are.
#[async_trait]
pub trait Keys: Send + Sync {
    /// All that there are.
    async fn read(&self) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, KeysError>;

    /// Writes one, durably. The same content again is no error. `false`: this platform has no use for a key of that name.
    async fn write(&self, name: &str, content: &[u8]) -> Result<bool, KeysError>;
}

/// Keys in files of a directory, which nobody but their owner reads.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    directory: PathBuf,
    names: Vec<String>,
}

impl KeyFiles {
    /// Knows these files, by their paths in the directory, and no others.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, names: impl IntoIterator<Item = String>) -> Self {
        Self { directory: directory.into(), names: names.into_iter().collect() }
    }
}

#[async_trait]
impl Keys for KeyFiles {
    async fn read(&self) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, KeysError> {
        let mut keys = BTreeMap::new();
        for name in &self.names {
            if let Some(content) = file_read(&self.directory.join(name)).map_err(failed(name))? {
                keys.insert(name.clone(), content);
            }
        }
        Ok(keys)
    }

    async fn write(&self, name: &str, content: &[u8]) -> Result<bool, KeysError> {
        if !self.names.iter().any(|known| known == name) {
            return Ok(false);
        }
        let path = self.directory.join(name);
        match file_read(&path).map_err(failed(name))? {
            Some(there) if there.as_slice() == content => Ok(true),
            Some(_) => Err(KeysError::Taken(name.to_owned())),
            None => file_write(&path, content).map(|()| true).map_err(failed(name)),
        }
    }
}

fn failed(name: &str) -> impl FnOnce(io::Error) -> KeysError {
    let name = name.to_owned();
    |source| KeysError::Failed { name, source }
}

fn file_read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(Zeroizing::new(content))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whole and on the disk, or not at all.
fn file_write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    ambo_atomic_file::write_private(path, content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn keys_are_written_once_for_their_owner_alone_and_where_they_belong() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["master.key", "tls/ca.key"].map(str::to_owned);
        let keys = KeyFiles::new(directory.path(), names);
        assert!(keys.read().await.unwrap().is_empty());
        assert!(keys.write("tls/ca.key", b"secret").await.unwrap());
        assert!(keys.write("tls/ca.key", b"secret").await.unwrap(), "again");
        assert!(matches!(keys.write("tls/ca.key", b"other").await, Err(KeysError::Taken(_))));
        for unknown in ["platform-id", "../outside", "/etc/passwd"] {
            assert!(!keys.write(unknown, b"x").await.unwrap());
        }
        assert_eq!(keys.read().await.unwrap().into_keys().collect::<Vec<_>>(), ["tls/ca.key"]);
        let mode = fs::metadata(directory.path().join("tls/ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
