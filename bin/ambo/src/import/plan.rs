//! What an import would do, as a value. Pure.

use std::fmt;

use ambo_client::{MovingApp, MovingFormation};
use serde::Serialize;

use crate::import::advice::{self, Advice};
use crate::import::present::Present;
use crate::import::sizes::memory_of;

/// Variables that the platform sets in every instance.
const RESERVED_KEYS: [&str; 4] = ["DYNO", "AMBO_APP", "AMBO_RELEASE", "SOURCE_VERSION"];
/// Stages that pipelines have here.
const STAGES: [&str; 3] = ["development", "staging", "production"];

/// How the user wants it.
#[derive(Debug)]
pub(super) struct Wish {
    /// The app's name here.
    pub(super) name: String,
    /// Whether config of add-ons comes over.
    pub(super) with_addon_config: bool,
    /// Whether values here give way.
    pub(super) overwrite: bool,
    /// The address of whoever imports, and owns the app.
    pub(super) account: String,
    /// Apps are hosts below this name.
    pub(super) domain: String,
}

/// What is to be done with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// It is made, or set.
    Make,
    /// It is here already.
    Present,
    /// It is left as it is, or left out.
    Leave,
    /// It can be done after the first deploy.
    Later,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Make => "make",
            Action::Present => "is here",
            Action::Leave => "leave out",
            Action::Later => "after deploy",
        })
    }
}

/// One thing of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Item {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// Never a config value.
    pub(super) value: String,
    pub(super) action: Action,
    pub(super) note: String,
}

/// The whole.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    /// The app's name at Heroku.
    pub(super) from: String,
    /// Its name here.
    pub(super) name: String,
    pub(super) items: Vec<Item>,
    pub(super) by_hand: Vec<Advice>,
}

impl Plan {
    /// Whether anything is to be made.
    pub(super) fn has_work(&self) -> bool {
        self.items.iter().any(|item| item.action == Action::Make)
    }

    /// What of a kind is to be made.
    pub(super) fn to_make(&self, kind: &str) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.kind == kind && item.action == Action::Make)
    }
}

/// Plans.
pub(super) fn plan(source: &MovingApp, present: &Present, wish: &Wish) -> Plan {
    let mut items = vec![Item {
        kind: "app",
        name: wish.name.clone(),
        value: String::new(),
        action: if present.exists { Action::Present } else { Action::Make },
        note: String::new(),
    }];
    items.extend(config(source, present, wish));
    items.extend(domains(source, present));
    items.extend(source.formation.iter().flat_map(|process| formation(process, present)));
    items.extend(pipeline(source, present));
    items.extend(access(source, present, wish));
    items.extend(drains(source, present));
    let by_hand = advice::advise(source, &items, wish);
    Plan { from: source.name.clone(), name: wish.name.clone(), items, by_hand }
}

fn config(source: &MovingApp, present: &Present, wish: &Wish) -> Vec<Item> {
    let item = |key: &String| {
        let addon = source.addons.iter().find(|addon| addon.config_vars.contains(key));
        let of_addon = addon.map_or_else(String::new, |addon| format!("belongs to add-on {}", addon.plan.name));
        let (action, note) = match present.config.get(key) {
            _ if RESERVED_KEYS.contains(&key.as_str()) => (Action::Leave, "the platform sets it".to_owned()),
            _ if !is_variable(key) => (Action::Leave, "is no name of a variable".to_owned()),
            _ if addon.is_some() && !wish.with_addon_config => (Action::Leave, of_addon),
            Some(value) if source.config.get(key) == Some(value) => (Action::Present, of_addon),
            Some(_) if !wish.overwrite => {
                (Action::Leave, "is set to something else here: `--overwrite` takes Heroku's".to_owned())
            }
            _ => (Action::Make, of_addon),
        };
        Item { kind: "config", name: key.clone(), value: "(hidden)".to_owned(), action, note }
    };
    source.config.keys().map(item).collect()
}

fn is_variable(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn domains(source: &MovingApp, present: &Present) -> Vec<Item> {
    let custom = source.domains.iter().filter(|domain| domain.kind == "custom");
    let item = |hostname: &String| Item {
        kind: "domain",
        name: hostname.clone(),
        value: String::new(),
        action: if present.domains.contains(hostname) { Action::Present } else { Action::Make },
        note: String::new(),
    };
    custom.map(|domain| item(&domain.hostname)).collect()
}

fn formation(process: &MovingFormation, present: &Present) -> Vec<Item> {
    let wanted = present.formation.get(&process.process);
    let action = |same: bool| match wanted {
        None => Action::Later,
        Some(_) if same => Action::Present,
        Some(_) => Action::Make,
    };
    let item = |kind, value: String, same, note: &str| Item {
        kind,
        name: process.process.clone(),
        value,
        action: action(same),
        note: note.to_owned(),
    };
    let mut items = vec![item("formation", process.quantity.to_string(), wanted == Some(&process.quantity), "")];
    let size = process.size.as_deref().unwrap_or_default();
    if let Some(memory) = memory_of(size) {
        let limits = present.limits.get(&process.process);
        let same = limits.and_then(|limits| limits.memory.as_deref()) == Some(memory);
        items.push(item("memory", memory.to_owned(), same, &format!("size {size} there")));
    }
    items
}

fn pipeline(source: &MovingApp, present: &Present) -> Option<Item> {
    let coupling = source.coupling.as_ref()?;
    let name = coupling.pipeline.name.clone().unwrap_or_else(|| coupling.pipeline.id.clone());
    let (action, note) = match &present.place {
        Some((pipeline, stage)) if *pipeline == name && *stage == coupling.stage => (Action::Present, String::new()),
        Some((pipeline, stage)) => (Action::Leave, format!("is in {stage} of {pipeline} here")),
        None if STAGES.contains(&coupling.stage.as_str()) => (Action::Make, String::new()),
        None => (Action::Leave, "pipelines here have no such stage".to_owned()),
    };
    Some(Item { kind: "pipeline", name, value: coupling.stage.clone(), action, note })
}

fn access(source: &MovingApp, present: &Present, wish: &Wish) -> Vec<Item> {
    let owner = source.owner.iter().map(|email| (email, "is the owner there"));
    let others = source.collaborators.iter().map(|one| (&one.user.email, ""));
    let mut items: Vec<Item> = Vec::new();
    for (email, note) in owner.chain(others) {
        if *email == wish.account || items.iter().any(|item| item.name == *email) {
            continue;
        }
        items.push(Item {
            kind: "access",
            name: email.clone(),
            value: String::new(),
            action: if present.collaborators.contains(email) { Action::Present } else { Action::Make },
            note: note.to_owned(),
        });
    }
    items
}

fn drains(source: &MovingApp, present: &Present) -> Vec<Item> {
    let item = |drain: &ambo_client::MovingDrain| {
        let (action, note) = match &drain.addon {
            Some(_) => (Action::Leave, "belongs to an add-on"),
            None if present.drains.contains(&drain.url) => (Action::Present, ""),
            None => (Action::Make, ""),
        };
        Item { kind: "drain", name: drain.url.clone(), value: String::new(), action, note: note.to_owned() }
    };
    source.drains.iter().map(item).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
