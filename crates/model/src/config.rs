//! An app's config: its environment variables.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// Longest config key, in characters.
pub const CONFIG_KEY_CHARS_MAX: usize = 128;
/// Largest config of one app, keys and values together, in bytes (Heroku's limit is 64 KiB).
pub const CONFIG_BYTES_MAX: usize = 64 * 1024;

/// A config key: the name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConfigKey(String);

/// Why a config key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigKeyError {
    /// The key is no name for an environment variable.
    #[error("`{0}` is no config key: use letters, digits and underscores, not starting with a digit")]
    Shape(String),
    /// The platform sets this variable itself.
    #[error("`{0}` is set by the platform in every instance: choose another key")]
    Reserved(String),
}

/// Variables that the platform sets in every instance, so that config cannot.
const RESERVED_KEYS: [&str; 4] = ["DYNO", "AMBO_APP", "AMBO_RELEASE", "SOURCE_VERSION"];

impl ConfigKey {
    /// Parses a key.
    ///
    /// # Errors
    /// When the key is no variable name, or is one that the platform sets.
    pub fn parse(text: &str) -> Result<Self, ConfigKeyError> {
        let ok = (1..=CONFIG_KEY_CHARS_MAX).contains(&text.len())
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !ok {
            return Err(ConfigKeyError::Shape(text.chars().filter(|c| !c.is_control()).take(80).collect()));
        }
        if RESERVED_KEYS.contains(&text) {
            return Err(ConfigKeyError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ConfigKey {
    type Error = ConfigKeyError;
    fn try_from(text: String) -> Result<Self, ConfigKeyError> {
        Self::parse(&text)
    }
}

impl From<ConfigKey> for String {
    fn from(key: ConfigKey) -> String {
        key.0
    }
}

/// The environment variables of an app. Values never print.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(BTreeMap<ConfigKey, Secret>);

/// What a user asks to change: a value sets, `None` unsets.
pub type ConfigChange = BTreeMap<ConfigKey, Option<Secret>>;

impl Config {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Secret> {
        self.0.iter().find(|(k, _)| k.as_str() == key).map(|(_, value)| value)
    }

    /// All keys with their values, in the keys' order.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigKey, &Secret)> {
        self.0.iter()
    }

    /// The config with a change merged over it.
    #[must_use]
    pub fn merged(&self, change: &ConfigChange) -> Self {
        let mut merged = self.0.clone();
        for (key, value) in change {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Self(merged)
    }

    /// Keys and values together, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.as_str().len() + value.reveal().len()).sum()
    }
}

impl FromIterator<(ConfigKey, Secret)> for Config {
    fn from_iter<I: IntoIterator<Item = (ConfigKey, Secret)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_variable_names_that_the_platform_does_not_set() {
        for good in ["FOO", "_foo", "f001", "FOO_BAR_BAZ_", "PORT"] {
            assert!(ConfigKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "123", "../../foo", "FOO/", "FOO-BAR", "Ä", "DYNO"] {
            assert!(ConfigKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_sets_and_unsets() {
        let key = |k: &str| ConfigKey::parse(k).unwrap();
        let base: Config = [(key("A"), Secret::new("1")), (key("B"), Secret::new("2"))].into_iter().collect();
        let change = ConfigChange::from([(key("A"), None), (key("C"), Some(Secret::new("3")))]);
        let merged = base.merged(&change);
        assert_eq!(merged.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["B", "C"]);
    }
}
