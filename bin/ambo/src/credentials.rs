//! Who the user is on which server: a file of mode 0600.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use ambo_client::Host;
use ambo_client::types::Secret;
use serde::{Deserialize, Serialize};

use crate::atomic_file::write_private;
use crate::exit::{Failure, Outcome};

/// Name of the file.
const FILE_NAME: &str = "credentials.toml";
/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A login on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// The account's address.
    pub(crate) email: String,
    /// Its token.
    pub(crate) token: Secret,
}

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logins {
    /// Where commands go that say nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_host: Option<String>,
    /// By address of the server.
    #[serde(default)]
    pub(crate) hosts: BTreeMap<String, Login>,
}

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct CredentialsFile {
    path: PathBuf,
}

impl CredentialsFile {
    /// `$AMBO_CONFIG_DIR`, else `$XDG_CONFIG_HOME/ambo`, else `~/.config/ambo`.
    pub(crate) fn from_environment() -> Outcome<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = set("AMBO_CONFIG_DIR")
            .or_else(|| set("XDG_CONFIG_HOME").map(|base| base.join("ambo")))
            .or_else(|| set("HOME").map(|home| home.join(".config/ambo")));
        match directory {
            Some(directory) => Ok(Self { path: directory.join(FILE_NAME) }),
            None => {
                Err(Failure::failed("there is no home directory to keep credentials in").hint("set AMBO_CONFIG_DIR"))
            }
        }
    }

    /// Reads the file; a file that is missing holds nothing. One that others may read is closed to them at once.
    pub(crate) fn read(&self) -> Outcome<Logins> {
        let shown = self.path.display();
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Logins::default()),
            Err(error) => return Err(Failure::io(format!("cannot read `{shown}`"), &error)),
        };
        if metadata.len() > FILE_BYTES_MAX {
            return Err(Failure::failed(format!("`{shown}` is too long to be a file of credentials")));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.path, fs::Permissions::from_mode(0o600)).map_err(|error| {
                Failure::io(format!("others may read `{shown}`, and that cannot be changed"), &error)
                    .hint(format!("chmod 600 {shown}"))
            })?;
        }
        let text =
            fs::read_to_string(&self.path).map_err(|error| Failure::io(format!("cannot read `{shown}`"), &error))?;
        // The parser's own message would show the line, which may hold a token.
        toml::from_str(&text).map_err(|_| {
            Failure::failed(format!("`{shown}` is damaged")).hint(format!("remove it and log in again: rm {shown}"))
        })
    }

    /// Replaces the file.
    pub(crate) fn write(&self, logins: &Logins) -> Outcome {
        let shown = self.path.display();
        let failure = |error: &io::Error| Failure::io(format!("cannot write `{shown}`"), error);
        if let Some(directory) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| failure(&error))?;
        }
        let text = toml::to_string(logins).map_err(|error| Failure::failed(error.to_string()))?;
        write_private(&self.path, &text).map_err(|error| failure(&error))
    }

    /// Remembers a login, and makes its server the default.
    pub(crate) fn remember(&self, host: &Host, login: Login) -> Outcome {
        let mut logins = self.read()?;
        logins.hosts.insert(host.to_string(), login);
        logins.default_host = Some(host.to_string());
        self.write(&logins)
    }

    /// Forgets a login. The default moves on to another server only when there is just one.
    pub(crate) fn forget(&self, host: &Host) -> Outcome {
        let mut logins = self.read()?;
        logins.hosts.remove(&host.to_string());
        if logins.default_host.as_deref() == Some(host.to_string().as_str()) {
            let mut left = logins.hosts.keys();
            logins.default_host = left.next().filter(|_| logins.hosts.len() == 1).cloned();
        }
        self.write(&logins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, CredentialsFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub").join(FILE_NAME);
        (directory, CredentialsFile { path })
    }

    fn login() -> Login {
        Login { email: "ana@example.com".into(), token: Secret::new("s3cret") }
    }

    #[test]
    fn a_login_is_kept_for_its_owner_only() {
        let (_directory, file) = file();
        assert_eq!(file.read().unwrap(), Logins::default());
        let host: Host = "http://127.0.0.1:7080".parse().unwrap();
        file.remember(&host, login()).unwrap();
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let logins = file.read().unwrap();
        assert_eq!(logins.default_host.as_deref(), Some("http://127.0.0.1:7080"));
        assert_eq!(logins.hosts["http://127.0.0.1:7080"], login());
        file.forget(&host).unwrap();
        assert_eq!(file.read().unwrap(), Logins::default());
    }

    #[test]
    fn a_file_that_others_may_read_is_closed() {
        let (_directory, file) = file();
        file.write(&Logins::default()).unwrap();
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).unwrap();
        file.read().unwrap();
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named_without_its_content() {
        let (_directory, file) = file();
        file.write(&Logins::default()).unwrap();
        fs::write(&file.path, "token = s3cret").unwrap();
        let failure = file.read().unwrap_err();
        assert!(failure.message.ends_with("is damaged"));
        assert!(!format!("{failure:?}").contains("s3cret"));
    }
}
