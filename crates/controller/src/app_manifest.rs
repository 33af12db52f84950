//! `app.json`: what an app needs, written down beside its source in Heroku's form. Pure.

use std::collections::BTreeMap;

use ambo_model::{ConfigChange, ConfigKey, ProcessType, Secret};
use serde::Deserialize;
use serde_json::Value;

/// Largest `app.json`, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What of `app.json` is understood. Everything else in it is for people, or for what is not offered here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AppManifest {
    env: BTreeMap<String, Variable>,
    formation: BTreeMap<String, Wanted>,
    addons: Vec<Value>,
    scripts: Scripts,
    /// Where to go once the app is set up: a path, or a whole URL.
    pub(crate) success_url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Variable {
    Value(String),
    Described {
        #[serde(default)]
        value: Option<String>,
        #[serde(default)]
        generator: Option<String>,
        #[serde(default)]
        required: Option<bool>,
    },
}

#[derive(Debug, Deserialize)]
struct Wanted {
    quantity: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scripts {
    postdeploy: Option<Script>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Script {
    Command(String),
    Described { command: String },
}

impl AppManifest {
    /// Reads `app.json`. The text of a refusal is for people.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| format!("app.json cannot be read: {error}"))
    }

    /// The config that the app begins with: what is overridden, else what is written, else what `secret` makes.
    pub(crate) fn config(
        &self,
        overrides: &BTreeMap<String, String>,
        secret: impl Fn() -> Secret,
    ) -> Result<ConfigChange, Vec<String>> {
        let (mut config, mut errors) = (ConfigChange::new(), self.unsupported());
        let mut set = |name: &str, value: Option<Secret>| match (ConfigKey::parse(name), value) {
            (Ok(key), Some(value)) => {
                config.insert(key, Some(value));
            }
            (Ok(_), None) => {}
            (Err(error), _) => errors.push(error.to_string()),
        };
        let mut missing = Vec::new();
        for (name, variable) in &self.env {
            if overrides.contains_key(name) {
                continue;
            }
            match variable {
                Variable::Value(value) | Variable::Described { value: Some(value), .. } => {
                    set(name, Some(Secret::new(value)));
                }
                Variable::Described { generator: Some(generator), .. } if generator == "secret" => {
                    set(name, Some(secret()));
                }
                Variable::Described { required: Some(false), .. } => set(name, None),
                Variable::Described { .. } => {
                    missing.push(format!("config var {name} is required: give it in `overrides.env`"))
                }
            }
        }
        for (name, value) in overrides {
            set(name, Some(Secret::new(value)));
        }
        errors.extend(missing);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// The wanted counts.
    pub(crate) fn formation(&self) -> Result<BTreeMap<ProcessType, u32>, String> {
        let wanted = self.formation.iter().filter_map(|(name, wanted)| Some((name, wanted.quantity?)));
        let parse = |(name, count): (&String, u32)| Ok((ProcessType::parse(name).map_err(|e| e.to_string())?, count));
        wanted.map(parse).collect()
    }

    /// What to run once after the first deploy.
    pub(crate) fn postdeploy(&self) -> Option<&str> {
        self.scripts.postdeploy.as_ref().map(|script| match script {
            Script::Command(command) | Script::Described { command } => command.as_str(),
        })
    }

    fn unsupported(&self) -> Vec<String> {
        let name = |addon: &Value| {
            let plan = addon.as_str().or_else(|| addon.get("plan")?.as_str()).unwrap_or("(unnamed)");
            format!("add-on {plan} is not offered here: take it out of app.json, and give its URL in `overrides.env`")
        };
        self.addons.iter().map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(manifest: &str, overrides: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
        let overrides = overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let config = AppManifest::parse(manifest.as_bytes()).unwrap().config(&overrides, || Secret::new("s3cret"))?;
        let shown = |(key, value): (&ConfigKey, &Option<Secret>)| {
            format!("{}={}", key.as_str(), value.as_ref().map_or("", Secret::reveal))
        };
        Ok(config.iter().map(shown).collect())
    }

    #[test]
    fn variables_are_written_generated_required_or_overridden() {
        let manifest = r#"{"name":"x","env":{"A":"1","B":{"value":"2"},"C":{"generator":"secret"},
            "D":{"required":false},"E":{"description":"needed"}}}"#;
        assert_eq!(config(manifest, &[("E", "5"), ("A", "7")]).unwrap(), ["A=7", "B=2", "C=s3cret", "E=5"]);
        assert_eq!(config(manifest, &[]).unwrap_err(), ["config var E is required: give it in `overrides.env`"]);
        let errors = config(r#"{"addons":["heroku-postgresql",{"plan":"redis:mini"}],"env":{"1BAD":"1"}}"#, &[]);
        assert_eq!(errors.unwrap_err().len(), 3);
    }

    #[test]
    fn a_script_is_a_command_or_describes_one() {
        let read = |text: &str| AppManifest::parse(text.as_bytes()).unwrap().postdeploy().map(str::to_owned);
        assert_eq!(read(r#"{"scripts":{"postdeploy":"a"}}"#).as_deref(), Some("a"));
        assert_eq!(read(r#"{"scripts":{"postdeploy":{"command":"b"}}}"#).as_deref(), Some("b"));
        assert_eq!(read("{}"), None);
        assert!(AppManifest::parse(b"{").is_err());
    }
}
