//! What a keeper is told, by a secret of the swarm: the platform's settings, and on managers its keys.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ambo_link::Authority;
use ambo_link::authority::AuthorityError;
use ambo_model::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The settings of an installed platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Tells this platform's things from those of others.
    pub platform: String,
    /// Settings of `ambod` for every role, by their variables' names: `AMBO_DOMAIN` ….
    pub settings: BTreeMap<String, String>,
    /// The members of etcd that were there at the start.
    pub etcd: Vec<EtcdMember>,
    /// Where the state is when it is not in an etcd of ours: `etcd://…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Whether every node answers DNS for the platform's domain, unless [`change`](crate::change) has said otherwise since.
    #[serde(default)]
    pub dns: bool,
}

/// A member of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcdMember {
    /// The node that it is on.
    pub node: String,
    /// The node's address.
    pub address: IpAddr,
}

/// What managers alone have. Config is sealed with `master`, 32 bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Seals config at rest.
    #[serde(with = "revealed")]
    pub master: Secret,
    /// The authority of links and of the platform's hosts: root and key, PEM.
    pub root: String,
    /// Its key.
    #[serde(with = "revealed")]
    pub root_key: Secret,
    /// The authority of etcd, which no worker has a certificate of.
    pub etcd_root: String,
    /// Its key.
    #[serde(with = "revealed")]
    pub etcd_root_key: Secret,
    /// With which workers' agents ask for their certificates.
    #[serde(with = "revealed")]
    pub agent_token: Secret,
    /// Credentials of the object store and of a given etcd, by their variables' names.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
}

/// What a platform brings along from where it was before: what its state is sealed with, and the authority that its clients
/// trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKeys {
    /// Seals config at rest.
    pub master: Secret,
    /// The authority of links and of the platform's hosts: root, PEM.
    pub root: String,
    /// Its key.
    pub root_key: Secret,
}

impl KnownKeys {
    /// Keys as texts: 32 bytes in base64, and PEM.
    #[must_use]
    pub fn new(master: String, root: String, root_key: String) -> Self {
        Self { master: Secret::new(master), root, root_key: Secret::new(root_key) }
    }
}

/// What a keeper is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rank", rename_all = "lowercase")]
pub enum Bundle {
    /// On managers.
    Manager {
        /// The settings.
        spec: Spec,
        /// The keys.
        keys: Keys,
    },
    /// On workers.
    Worker {
        /// The settings.
        spec: Spec,
        /// The authority of links, PEM.
        root: String,
        /// With which an agent asks for its certificate.
        #[serde(with = "revealed")]
        token: Secret,
    },
}

impl Keys {
    /// New keys for the platform of this id.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn generate(platform: &str) -> Result<Self, AuthorityError> {
        let (links, etcd) = (Authority::generate(platform)?, Authority::generate(&etcd_name(platform))?);
        Ok(Self {
            master: Secret::new(STANDARD.encode(random())),
            agent_token: Secret::new(hex::encode(random())),
            root: links.root().to_owned(),
            root_key: links.key().clone(),
            etcd_root: etcd.root().to_owned(),
            etcd_root_key: etcd.key().clone(),
            credentials: BTreeMap::new(),
        })
    }

    /// The same, with keys that a platform has had before.
    #[must_use]
    pub fn with(self, known: &KnownKeys) -> Self {
        let KnownKeys { master, root, root_key } = known.clone();
        Self { master, root, root_key, ..self }
    }

    /// The authority of links.
    #[must_use]
    pub fn links(&self, platform: &str) -> Authority {
        Authority::known(platform, self.root.clone(), self.root_key.clone())
    }

    /// The authority of etcd.
    #[must_use]
    pub fn etcd(&self, platform: &str) -> Authority {
        Authority::known(&etcd_name(platform), self.etcd_root.clone(), self.etcd_root_key.clone())
    }
}

/// 32 bytes that nobody can guess.
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn etcd_name(platform: &str) -> String {
    // The authority's name shows its first eight characters.
    format!("etcd-{platform}")
}

impl Bundle {
    /// The settings.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        match self {
            Self::Manager { spec, .. } | Self::Worker { spec, .. } => spec,
        }
    }

    /// The settings, for what has changed since they were written: a secret of the swarm stays as it was made.
    pub fn spec_mut(&mut self) -> &mut Spec {
        match self {
            Self::Manager { spec, .. } | Self::Worker { spec, .. } => spec,
        }
    }
}

/// A new id for a platform.
#[must_use]
pub fn platform_id() -> String {
    Uuid::new_v4().to_string()
}

/// A secret as the text that it is: bundles go into secrets of the swarm only.
mod revealed {
    use ambo_model::Secret;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.reveal())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        Ok(Secret::new(String::deserialize(deserializer)?))
    }
}
