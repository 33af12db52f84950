//! The machines of a cluster, and the tags by which workloads choose among them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::size::{ByteSize, CpuShare};

/// Longest id of a node, in characters.
pub const NODE_ID_CHARS_MAX: usize = 64;
/// Longest key or value of a tag, in characters.
pub const TAG_CHARS_MAX: usize = 63;
/// Most tags of a workload or a node.
pub const TAGS_MAX: usize = 32;

/// Why something about a node was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No id that an engine gives.
    #[error("`{0}` is no node's id")]
    Id(String),
    /// The key breaks the rule for tags.
    #[error(
        "`{0}` is no key of a tag: use 2 to 63 lowercase letters, digits, dots, dashes and underscores, starting with a letter"
    )]
    TagKey(String),
    /// The value breaks the rule for tags.
    #[error(
        "`{0}` is no value of a tag: use 1 to 63 letters, digits, dots, dashes and underscores, starting with a letter or digit"
    )]
    TagValue(String),
}

/// Identifies a node. Given by the engine, for as long as the node is in the cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(String);

/// A tag's key, such as `region`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TagKey(String);

/// A tag's value, such as `eu-1`. Engines compare it without regard to case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TagValue(String);

impl NodeId {
    /// Parses an id.
    ///
    /// # Errors
    /// When the text is empty, too long, or holds anything but letters and digits.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        let ok = (1..=NODE_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if ok { Ok(Self(text.to_owned())) } else { Err(NodeError::Id(shown(text))) }
    }
}

impl TagKey {
    /// Parses a key.
    ///
    /// # Errors
    /// When the text breaks the rule for keys.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        let ok = (2..=TAG_CHARS_MAX).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b));
        if ok { Ok(Self(text.to_owned())) } else { Err(NodeError::TagKey(shown(text))) }
    }
}

impl TagValue {
    /// Parses a value.
    ///
    /// # Errors
    /// When the text breaks the rule for values.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        let ok = (1..=TAG_CHARS_MAX).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        if ok { Ok(Self(text.to_owned())) } else { Err(NodeError::TagValue(shown(text))) }
    }
}

macro_rules! text {
    ($($name:ident),+) => {$(
        impl $name {
            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
        impl FromStr for $name {
            type Err = NodeError;
            fn from_str(text: &str) -> Result<Self, NodeError> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NodeError;
            fn try_from(text: String) -> Result<Self, NodeError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    )+};
}
text!(NodeId, TagKey, TagValue);

/// What is shown of a text that was refused.
fn shown(text: &str) -> String {
    text.chars().take(TAG_CHARS_MAX + 1).collect()
}

/// What a node must carry for a workload to run on it; empty is any node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<TagKey, TagValue>);

impl Tags {
    /// Whether any node will do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs, in the keys' order.
    pub fn iter(&self) -> impl Iterator<Item = (&TagKey, &TagValue)> {
        self.0.iter()
    }

    /// Whether a node with these labels carries every tag.
    #[must_use]
    pub fn fit(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): (&TagKey, &TagValue)| {
            labels.get(key.as_str()).is_some_and(|label| label.eq_ignore_ascii_case(value.as_str()))
        };
        self.iter().all(has)
    }
}

impl fmt::Display for Tags {
    /// `disk=ssd, region=eu`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(", "))
    }
}

impl FromIterator<(TagKey, TagValue)> for Tags {
    fn from_iter<I: IntoIterator<Item = (TagKey, TagValue)>>(tags: I) -> Self {
        Self(tags.into_iter().collect())
    }
}

/// Whether a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It does.
    Ready,
    /// It does not; what ran on it is started elsewhere.
    Down,
    /// Not heard of yet, as after a change of the cluster's leader; what runs on it is taken to run.
    Unknown,
}

/// Whether a node takes instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeAvailability {
    /// It does.
    Active,
    /// It keeps those that it has and takes no more.
    Pause,
    /// It takes none, and those that it has are started elsewhere.
    Drain,
}

/// What a node is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role")]
pub enum NodeRole {
    /// It runs instances.
    Worker,
    /// It decides as well.
    Manager {
        /// Whether the managers follow it.
        leads: bool,
        /// Whether the other managers hear it.
        reachable: bool,
    },
}

/// What a node is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRank {
    /// One that runs instances.
    Worker,
    /// One that decides as well.
    Manager,
}

/// What a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeResources {
    /// Its cores.
    pub cpu: CpuShare,
    /// Its memory.
    pub memory: ByteSize,
}

/// A machine of the cluster, as observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The engine's id.
    pub id: NodeId,
    /// The machine's own name. Nothing keeps two machines from having the same.
    pub name: String,
    /// Where the other nodes see it.
    pub address: Option<IpAddr>,
    /// Whether it answers.
    pub state: NodeState,
    /// Whether it takes instances.
    pub availability: NodeAvailability,
    /// What it is in the cluster.
    pub role: NodeRole,
    /// Its labels: tags, and whatever else operators have put there.
    pub labels: BTreeMap<String, String>,
    /// The version of its engine.
    pub engine_version: String,
    /// What it has.
    pub resources: NodeResources,
}

impl Node {
    /// Whether new instances of a workload with these tags may come to it.
    #[must_use]
    pub fn takes(&self, tags: &Tags) -> bool {
        self.state == NodeState::Ready && self.availability == NodeAvailability::Active && tags.fit(&self.labels)
    }
}

/// With what a machine joins the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinTokens {
    /// As one that runs instances.
    pub worker: Secret,
    /// As one that decides as well.
    pub manager: Secret,
    /// Managers that take it in.
    pub addresses: Vec<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| (TagKey::parse(key).unwrap(), TagValue::parse(value).unwrap())).collect()
    }

    #[test]
    fn ids_and_tags_hold_nothing_that_an_engine_reads_otherwise() {
        assert!(NodeId::parse("wtn7lxbfqp2s7sxj2yyaxnwfa").is_ok());
        for bad in ["", "a/b", "a b", "../x", &"x".repeat(65)] {
            assert!(NodeId::parse(bad).is_err(), "{bad}");
        }
        assert!(TagKey::parse("disk").is_ok() && TagKey::parse("example.com-x_1").is_ok());
        for bad in ["", "d", "Disk", "1disk", "disk==ssd", "a b", &"x".repeat(64)] {
            assert!(TagKey::parse(bad).is_err(), "{bad}");
        }
        assert!(TagValue::parse("SSD.1").is_ok() && TagValue::parse("1").is_ok());
        for bad in ["", "-x", "a*", "a b", "ü", &"x".repeat(64)] {
            assert!(TagValue::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_node_fits_when_it_carries_every_tag() {
        let labels = BTreeMap::from([("disk".to_owned(), "SSD".to_owned()), ("zone".to_owned(), "a".to_owned())]);
        assert!(Tags::default().fit(&labels) && Tags::default().fit(&BTreeMap::new()));
        assert!(tags(&[("disk", "ssd")]).fit(&labels) && tags(&[("disk", "ssd"), ("zone", "a")]).fit(&labels));
        assert!(!tags(&[("disk", "hdd")]).fit(&labels) && !tags(&[("disk", "ssd"), ("gpu", "yes")]).fit(&labels));
    }
}
