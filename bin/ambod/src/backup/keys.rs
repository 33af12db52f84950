//! The platform's keys, for archives.

use std::collections::BTreeMap;
use std::path::Path;

use ambo_backup::{KeyFiles, Keys, KeysError};
use ambo_gitreceive::HOST_KEY_NAMES;
use async_trait::async_trait;
use zeroize::Zeroizing;

/// What seals config; in a file, or given in the environment.
const MASTER: &str = "master.key";
/// The others: in files alone.
const OTHERS: [&str; 3] = ["platform-id", "tls/ca.crt", "tls/ca.key"];
/// A host key that an operator may have added.
const HOST_KEY_RSA: &str = "ssh_host_rsa_key";

/// The keys in a data directory. The master key is that of the environment, if it is given there.
#[derive(Debug)]
pub(super) struct PlatformKeys {
    files: KeyFiles,
    given: Option<Zeroizing<Vec<u8>>>,
}

impl PlatformKeys {
    /// Those of this process.
    pub(super) fn of(data: &Path) -> Self {
        let given = std::env::var("AMBO_MASTER_KEY").ok();
        Self::with(data, given.map(|key| Zeroizing::new(key.trim().as_bytes().to_vec())))
    }

    fn with(data: &Path, given: Option<Zeroizing<Vec<u8>>>) -> Self {
        let host_keys = HOST_KEY_NAMES.into_iter().chain([HOST_KEY_RSA]).map(|name| format!("ssh/{name}"));
        let names = OTHERS.into_iter().chain(given.is_none().then_some(MASTER)).map(str::to_owned);
        Self { files: KeyFiles::new(data, names.chain(host_keys)), given }
    }
}

#[async_trait]
impl Keys for PlatformKeys {
    async fn read(&self) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, KeysError> {
        let mut keys = self.files.read().await?;
        keys.extend(self.given.clone().map(|key| (MASTER.to_owned(), key)));
        // In files it may end with a line's end.
        if let Some(master) = keys.get_mut(MASTER) {
            *master = Zeroizing::new(master.trim_ascii().to_vec());
        }
        Ok(keys)
    }

    async fn write(&self, name: &str, content: &[u8]) -> Result<bool, KeysError> {
        if name != MASTER {
            return self.files.write(name, content).await;
        }
        match self.read().await?.get(MASTER) {
            Some(there) if there.as_slice() == content.trim_ascii() => Ok(true),
            Some(_) => Err(KeysError::Taken(name.to_owned())),
            None => self.files.write(name, content).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_master_key_of_the_environment_is_backed_up_and_must_be_the_same_to_restore() {
        let dir = tempfile::tempdir().unwrap();
        let given = PlatformKeys::with(dir.path(), Some(Zeroizing::new(b"secret".to_vec())));
        assert_eq!(given.read().await.unwrap()[MASTER].as_slice(), b"secret");
        assert!(given.write(MASTER, b"secret\n").await.unwrap());
        assert!(matches!(given.write(MASTER, b"other").await, Err(KeysError::Taken(_))));
        assert!(!dir.path().join(MASTER).exists(), "what is given in the environment is in no file");
        let in_files = PlatformKeys::with(dir.path(), None);
        assert!(in_files.write(MASTER, b"secret").await.unwrap());
        assert!(in_files.write("ssh/ssh_host_ed25519_key", b"key").await.unwrap());
        assert_eq!(in_files.read().await.unwrap().len(), 2);
    }
}
