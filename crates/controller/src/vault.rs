//! Encryption of what must not lie readable in the store: config and private keys.

use std::fs;
use std::path::Path;

use ambo_model::{AppId, Config, ReleaseVersion, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of the master key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;

/// Seals and opens config with the platform's master key (XChaCha20-Poly1305).
pub struct Vault {
    cipher: XChaCha20Poly1305,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// A sealed config as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

/// Why the vault cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file cannot be read or made.
    #[error("use the master key file `{path}`")]
    KeyFile {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The key is not 32 bytes in base64.
    #[error("the master key is not 32 bytes in base64")]
    KeyShape,
    /// The same, of a text.
    #[error("what is sealed for `{context}` cannot be decrypted: is this the platform's own master key?")]
    OpenText {
        /// Whose text.
        context: String,
    },
    /// The sealed value was made with another key, for another release, or is damaged. Nothing is run with a config that
    /// cannot be read.
    #[error("the config of {release} cannot be decrypted: is this the platform's own master key?")]
    Open {
        /// Whose config.
        release: String,
    },
}

impl Vault {
    /// A vault with the given key.
    ///
    /// # Errors
    /// When the key is not 32 bytes in base64.
    pub fn with_key(key: &Secret) -> Result<Self, VaultError> {
        let bytes = Zeroizing::new(STANDARD.decode(key.reveal().trim()).map_err(|_| VaultError::KeyShape)?);
        let bytes: Zeroizing<[u8; KEY_BYTES]> =
            Zeroizing::new(bytes.as_slice().try_into().map_err(|_| VaultError::KeyShape)?);
        Ok(Self { cipher: XChaCha20Poly1305::new(&Key::from(*bytes)), key: bytes })
    }

    /// A vault with the key in `path`; makes a new key there, mode 0600, when there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds no key.
    pub fn with_key_file(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::KeyFile { path: path.display().to_string(), source };
        match fs::read_to_string(path) {
            Ok(key) => Self::with_key(&Secret::new(key)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::new_key();
                // On the disk before anything is sealed with it: half a key, or one that a power cut took back, would keep
                // the platform from starting, or its configs from ever being read.
                ambo_atomic_file::write_private(path, key.reveal().as_bytes()).map_err(failed)?;
                Self::with_key(&key)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// A key for another purpose: the same in every process that has the master key, and telling nothing of it
    /// (HMAC-SHA-256 as the pseudorandom function of NIST SP 800-108).
    #[must_use]
    #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn derive_key(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.key).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    fn new_key() -> Secret {
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        rand::rng().fill_bytes(bytes.as_mut());
        Secret::new(STANDARD.encode(bytes.as_ref()))
    }

    /// Seals a text for whoever names the same `context`: it opens for no other.
    #[must_use]
    pub fn seal_text(&self, context: &str, text: &Secret) -> Sealed {
        self.seal_bytes(context, text.reveal().as_bytes())
    }

    /// Opens what was sealed for this `context`.
    ///
    /// # Errors
    /// When it was sealed with another key or for another context, or is damaged.
    pub fn open_text(&self, context: &str, sealed: &Sealed) -> Result<Secret, VaultError> {
        let refused = || VaultError::OpenText { context: context.to_owned() };
        let plain = self.open_bytes(context, sealed).ok_or_else(refused)?;
        Ok(Secret::new(std::str::from_utf8(&plain).map_err(|_| refused())?))
    }

    /// Seals a config for one release: it opens for no other.
    #[must_use]
    pub fn seal(&self, app: AppId, version: ReleaseVersion, config: &Config) -> Sealed {
        let plain = Zeroizing::new(crate::records::json(config).to_vec());
        self.seal_bytes(&associated_data(app, version), &plain)
    }

    fn seal_bytes(&self, context: &str, plain: &[u8]) -> Sealed {
        let mut nonce = [0_u8; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        #[allow(clippy::expect_used, reason = "the cipher only refuses messages beyond 256 GiB")]
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: context.as_bytes() })
            .expect("what is sealed is short");
        Sealed(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for this release.
    ///
    /// # Errors
    /// When it was sealed with another key or for another release, or is damaged.
    pub fn open(&self, app: AppId, version: ReleaseVersion, sealed: &Sealed) -> Result<Config, VaultError> {
        let refused = || VaultError::Open { release: format!("{version} of app {app}") };
        let plain = self.open_bytes(&associated_data(app, version), sealed).ok_or_else(refused)?;
        serde_json::from_slice(&plain).map_err(|_| refused())
    }

    fn open_bytes(&self, context: &str, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = STANDARD.decode(&sealed.0).ok()?;
        let (nonce, message) = bytes.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let payload = Payload { msg: message, aad: context.as_bytes() };
        self.cipher.decrypt(&XNonce::from(nonce), payload).ok().map(Zeroizing::new)
    }
}

fn associated_data(app: AppId, version: ReleaseVersion) -> String {
    format!("{app}/config/{version}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::ConfigKey;

    fn config() -> Config {
        [(ConfigKey::parse("TOKEN").unwrap(), Secret::new("s3cret"))].into_iter().collect()
    }

    #[test]
    fn a_sealed_config_opens_for_its_own_release_only() {
        let vault = Vault::with_key(&Vault::new_key()).unwrap();
        let (app, v1) = (AppId::new(), ReleaseVersion(1));
        let sealed = vault.seal(app, v1, &config());
        assert!(!serde_json::to_string(&sealed).unwrap().contains("s3cret"));
        assert_eq!(vault.open(app, v1, &sealed).unwrap(), config());
        assert!(vault.open(app, ReleaseVersion(2), &sealed).is_err());
        assert!(vault.open(AppId::new(), v1, &sealed).is_err());
        assert!(Vault::with_key(&Vault::new_key()).unwrap().open(app, v1, &sealed).is_err());
    }

    #[test]
    fn a_derived_key_depends_on_the_master_key_and_the_purpose_alone() {
        let key = Vault::new_key();
        let (vault, again) = (Vault::with_key(&key).unwrap(), Vault::with_key(&key).unwrap());
        assert_eq!(vault.derive_key("logs"), again.derive_key("logs"));
        assert_ne!(vault.derive_key("logs"), vault.derive_key("runs"));
        assert_ne!(Vault::with_key(&Vault::new_key()).unwrap().derive_key("logs"), vault.derive_key("logs"));
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let (app, v1) = (AppId::new(), ReleaseVersion(1));
        fs::write(dir.path().join("master.key.new"), "half of a key that a power cut left").unwrap();
        let sealed = Vault::with_key_file(&path).unwrap().seal(app, v1, &config());
        assert_eq!(Vault::with_key_file(&path).unwrap().open(app, v1, &sealed).unwrap(), config());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
