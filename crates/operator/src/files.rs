//! What a keeper lays down for its node's components: keys, and the certificates that they know each other by.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambo_link::authority::{AuthorityError, Issued};
use ambo_link::{Authority, Peer, Role};
use ambo_model::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bundle::{Keys, Spec};
use crate::component::NodeFacts;
use crate::etcd::Beginning;
use crate::joining::{LABELS_FILE, labels_parse, labels_text};

/// How long a certificate is good.
const LIFE: Duration = Duration::from_secs(397 * 24 * 60 * 60);
/// How long before its end it is replaced, at least, and over how long before that the nodes are spread.
const RENEWAL: Duration = Duration::from_secs(60 * 24 * 60 * 60);
const RENEWAL_SPREAD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Notes until when a certificate is good, and for what names it is.
const ISSUED_FILE: &str = "issued.json";

/// Why the files could not be laid down.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The disk.
    #[error("read or write {path}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// The directory that a node's components have their files in.
#[derive(Debug, Clone)]
pub struct Files(PathBuf);

impl Files {
    /// Below this directory.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Lays down everything that a manager's components need. What is there and good stays.
    ///
    /// # Errors
    /// When the disk refuses, or the authority's key is not its own.
    pub fn manager_lay(&self, spec: &Spec, keys: &Keys, node: &NodeFacts, now: Timestamp) -> Result<(), FilesError> {
        let controller = self.0.join("controller");
        self.write(&controller.join("platform-id"), &spec.platform)?;
        self.write(&controller.join("master.key"), keys.master.reveal())?;
        self.write(&controller.join("agents.token"), keys.agent_token.reveal())?;
        self.write(&controller.join("tls/ca.crt"), &keys.root)?;
        self.write(&controller.join("tls/ca.key"), keys.root_key.reveal())?;
        let links = keys.links(&spec.platform);
        for (role, directory) in [(Role::Controller, "controller/identity"), (Role::Agent, "agent/identity")] {
            let names = ambo_link::identity::names(&Peer { role, node: node.id.clone() });
            self.identity_lay(directory, &links, &names, now)?;
        }
        let etcd = keys.etcd(&spec.platform);
        let names = [node.address.to_string(), "127.0.0.1".to_owned()];
        self.identity_lay("etcd", &etcd, &names, now)?;
        self.identity_lay("controller/etcd", &etcd, &names, now)
    }

    /// Lays down what a worker's agent was given.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn agent_lay(&self, issued: &Issued, node: &str, root: &str, now: Timestamp) -> Result<(), FilesError> {
        self.issued_lay(&self.0.join("agent/identity"), issued, &agent_names(node), root, now)
    }

    /// Whether the agent of this node has a certificate that is good for long enough. A machine that left and joined again is
    /// another node.
    #[must_use]
    pub fn has_agent(&self, node: &str, root: &str, now: Timestamp) -> bool {
        is_good(&self.0.join("agent/identity"), &agent_names(node), root, now)
    }

    /// Which certificates a component reads when it starts. etcd reads its own again by itself.
    #[must_use]
    pub fn certificates_of(&self, component: &str) -> String {
        let directories: &[&str] = match component {
            "controller" => &["controller/identity", "controller/etcd"],
            "agent" => &["agent/identity"],
            _ => &[],
        };
        let ends = directories.iter().filter_map(|directory| Some(issued(&self.0.join(directory))?.0.to_string()));
        ends.collect::<Vec<_>>().join(" ")
    }

    /// Makes the directories that components keep their things in.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn directories_make(&self) -> Result<(), FilesError> {
        for name in ["controller", "agent", "router", "dns", "etcd", "run"] {
            let path = self.0.join(name);
            directory(&path).map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    /// The labels that this machine was given when it joined, until they were brought.
    ///
    /// # Errors
    /// When the file cannot be read, or a line of it is no label.
    pub fn labels(&self) -> Result<BTreeMap<String, String>, FilesError> {
        let path = self.0.join(LABELS_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => labels_parse(&text).map_err(|error| failed(&path, io::Error::other(error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Leaves labels for this machine's keeper, which brings them when the machine has joined.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn labels_lay(&self, labels: &BTreeMap<String, String>) -> Result<(), FilesError> {
        self.write(&self.0.join(LABELS_FILE), &labels_text(labels))
    }

    /// Notes that they were brought.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn labels_forget(&self) -> Result<(), FilesError> {
        self.remove(LABELS_FILE)
    }

    /// How this node's member of etcd began, if it did.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn member_began(&self) -> Result<Option<Beginning>, FilesError> {
        self.read_json("etcd/began.json")
    }

    /// Notes how the member begins. One that joins others finds nothing of a member that was here before.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn member_begin(&self, beginning: &Beginning) -> Result<(), FilesError> {
        let data = self.0.join("etcd/data");
        if beginning.member.is_some() {
            match fs::remove_dir_all(&data) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&data, error)),
                _ => {}
            }
        }
        self.write_json("etcd/began.json", beginning)
    }

    /// Who voted when etcd was last asked, if it ever was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn voters(&self) -> Result<Option<Vec<IpAddr>>, FilesError> {
        self.read_json("etcd/voters.json")
    }

    /// Notes who votes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn voters_lay(&self, voters: &[IpAddr]) -> Result<(), FilesError> {
        self.write_json("etcd/voters.json", voters)
    }

    /// The directory of the certificate that members of etcd know each other by.
    #[must_use]
    pub fn member_certificate(&self) -> PathBuf {
        self.0.join("etcd")
    }

    /// Removes the keys that only a manager may have. Data stays: without them it says nothing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn manager_clear(&self) -> Result<(), FilesError> {
        for name in ["controller/master.key", "controller/agents.token", "controller/tls/ca.key", "etcd/node.key"] {
            self.remove(name)?;
        }
        for name in ["controller/identity", "controller/etcd"] {
            self.remove(&format!("{name}/node.key"))?;
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), FilesError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, error)),
            _ => Ok(()),
        }
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FilesError> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(&path, error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, error)),
        }
    }

    fn write_json<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), FilesError> {
        self.write_json_at(&self.0.join(name), value)
    }

    fn write_json_at<T: Serialize + ?Sized>(&self, path: &Path, value: &T) -> Result<(), FilesError> {
        let text = serde_json::to_string(value).map_err(|error| failed(path, error.into()))?;
        self.write(path, &text)
    }

    fn identity_lay(
        &self,
        directory: &str,
        authority: &Authority,
        names: &[String],
        now: Timestamp,
    ) -> Result<(), FilesError> {
        let directory = self.0.join(directory);
        if is_good(&directory, names, authority.root(), now) {
            return Ok(());
        }
        let issued = authority.issue(names, true, now, LIFE)?;
        self.issued_lay(&directory, &issued, names, authority.root(), now)
    }

    fn issued_lay(
        &self,
        directory: &Path,
        issued: &Issued,
        names: &[String],
        root: &str,
        now: Timestamp,
    ) -> Result<(), FilesError> {
        // What is written down about it comes last: cut off before, it is issued again.
        let _ = fs::remove_file(directory.join(ISSUED_FILE));
        self.write(&directory.join("ca.crt"), root)?;
        self.write(&directory.join("node.key"), issued.key.reveal())?;
        self.write(&directory.join("node.crt"), &issued.chain)?;
        self.write_json_at(&directory.join(ISSUED_FILE), &(seconds(now + LIFE), names))
    }

    /// Writes a file whole, for us alone; one that says the same stays.
    fn write(&self, path: &Path, text: &str) -> Result<(), FilesError> {
        if fs::read_to_string(path).is_ok_and(|known| known == text) {
            return Ok(());
        }
        write_private(path, text).map_err(|source| failed(path, source))
    }
}

/// How long an issued certificate is good.
#[must_use]
pub fn life() -> Duration {
    LIFE
}

fn is_good(directory: &Path, names: &[String], root: &str, now: Timestamp) -> bool {
    let is_of_root = fs::read_to_string(directory.join("ca.crt")).is_ok_and(|known| known == root);
    let is_of_names = issued(directory).is_some_and(|(ends, of)| of == names && ends > seconds(now + renewal(names)));
    is_of_root && directory.join("node.key").exists() && is_of_names
}

/// Until when a certificate is good, in seconds of the Unix epoch, and for which names.
fn issued(directory: &Path) -> Option<(i64, Vec<String>)> {
    serde_json::from_slice(&fs::read(directory.join(ISSUED_FILE)).ok()?).ok()
}

/// How long before its end a certificate is replaced: not everywhere on the same day, since those that it is for start anew.
fn renewal(names: &[String]) -> Duration {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    RENEWAL + Duration::from_secs(hasher.finish() % RENEWAL_SPREAD.as_secs())
}

fn agent_names(node: &str) -> Vec<String> {
    ambo_link::identity::names(&Peer { role: Role::Agent, node: node.to_owned() })
}

fn seconds(at: Timestamp) -> i64 {
    at.as_second()
}

fn failed(path: &Path, source: io::Error) -> FilesError {
    FilesError::Io { path: path.display().to_string(), source }
}

fn directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(above) = path.parent() {
        directory(above)?;
    }
    ambo_atomic_file::write_private(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ambo_model::Secret;

    use super::*;

    #[test]
    fn what_is_good_stays_and_what_ends_soon_is_issued_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (files, now) = (Files::at(dir.path()), Timestamp::now());
        let keys = Keys::generate("0123456789").unwrap();
        let spec = Spec {
            platform: "0123456789".to_owned(),
            settings: Default::default(),
            etcd: Vec::new(),
            store: None,
            dns: false,
        };
        let address = "10.0.0.1".parse().unwrap();
        let (id, name) = ("one".to_owned(), "n1".to_owned());
        let node = NodeFacts {
            id,
            name,
            address,
            is_manager: true,
            managers: vec![address],
            etcd: None,
            voters: vec![address],
        };
        files.manager_lay(&spec, &keys, &node, now).unwrap();
        let chain = || fs::read_to_string(dir.path().join("agent/identity/node.crt")).unwrap();
        let first = chain();
        files.manager_lay(&spec, &keys, &node, now).unwrap();
        assert_eq!(chain(), first);
        let read_at_start = ["controller", "agent"].map(|name| files.certificates_of(name));
        files.manager_lay(&spec, &keys, &node, now + (LIFE - RENEWAL / 2)).unwrap();
        assert_ne!(chain(), first);
        for (name, before) in ["controller", "agent"].into_iter().zip(read_at_start) {
            assert_ne!(files.certificates_of(name), before, "{name} is to start anew with what was issued");
        }
        assert_eq!(files.certificates_of("router"), "");
        assert!(
            files.has_agent("one", &keys.root, now) && !files.has_agent("two", &keys.root, now),
            "it is of one node"
        );
        let key = fs::metadata(dir.path().join("controller/master.key")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
        let identity = |name: &str| fs::read_to_string(dir.path().join("controller/identity").join(name)).unwrap();
        ambo_link::Identity::from_pem(&identity("node.crt"), &Secret::new(identity("node.key")), &identity("ca.crt"))
            .unwrap();
    }
}
