//! The SSH server's own keys: made once, kept in files that nobody else may read.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};

/// Longest key file.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Why there are no host keys.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// A file could not be read or written.
    #[error("the host key `{}` could not be read or written: check the directory's owner", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no key.
    #[error("`{}` holds no private key in OpenSSH's format: restore it, or remove it and let clients accept a new one", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: russh::keys::ssh_key::Error,
    },
}

/// The files of the host keys that are made when they are missing.
pub const HOST_KEY_NAMES: [&str; 2] = ["ssh_host_ed25519_key", "ssh_host_ecdsa_key"];

/// Makes the host keys that are missing, for whoever shares them with other machines.
///
/// # Errors
/// When the directory cannot be written, or holds something else.
pub fn host_keys_make(directory: &Path) -> Result<(), HostKeyError> {
    host_keys_ensure(directory).map(drop)
}

/// Reads the host keys, and makes those that are missing: Ed25519 and ECDSA. An RSA key is used if the operator puts one
/// there (`ssh-keygen -t rsa -f <directory>/ssh_host_rsa_key -N ''`); only clients older than 2011 want it.
pub(crate) fn host_keys_ensure(directory: &Path) -> Result<Vec<PrivateKey>, HostKeyError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| HostKeyError::File { path: directory.to_owned(), source })?;
    let algorithms = [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }];
    let mut keys = Vec::new();
    for (name, algorithm) in HOST_KEY_NAMES.into_iter().zip(algorithms) {
        let path = directory.join(name);
        keys.push(match key_read(&path)? {
            Some(key) => key,
            None => key_make(&path, algorithm)?,
        });
    }
    keys.extend(key_read(&directory.join("ssh_host_rsa_key"))?);
    Ok(keys)
}

fn key_read(path: &Path) -> Result<Option<PrivateKey>, HostKeyError> {
    let fault = |source| HostKeyError::File { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "a host key was readable by others: its mode is now 0600");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fault)?;
    }
    if metadata.len() > KEY_BYTES_MAX {
        return Err(fault(io::Error::other("too large for a key")));
    }
    let text = fs::read_to_string(path).map_err(fault)?;
    let key = PrivateKey::from_openssh(&text);
    key.map(Some).map_err(|source| HostKeyError::Malformed { path: path.to_owned(), source })
}

fn key_make(path: &Path, algorithm: Algorithm) -> Result<PrivateKey, HostKeyError> {
    let malformed = |source| HostKeyError::Malformed { path: path.to_owned(), source };
    let key = PrivateKey::random(&mut safe_rng(), algorithm).map_err(malformed)?;
    let text = key.to_openssh(LineEnding::LF).map_err(malformed)?;
    ambo_atomic_file::write_private(path, text.as_bytes())
        .map_err(|source| HostKeyError::File { path: path.to_owned(), source })?;
    tracing::info!(path = %path.display(), fingerprint = %key.fingerprint(Default::default()), "made an SSH host key");
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_keys_are_made_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("ssh");
        let first = host_keys_ensure(&keys).unwrap();
        assert_eq!(first.len(), 2);
        let path = keys.join("ssh_host_ed25519_key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let second = host_keys_ensure(&keys).unwrap();
        assert_eq!(first[0].public_key(), second[0].public_key());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_broken_host_key_is_named_and_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ssh_host_ed25519_key");
        fs::write(&path, "broken").unwrap();
        assert!(host_keys_ensure(directory.path()).unwrap_err().to_string().contains("ssh_host_ed25519_key"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "broken");
    }
}
