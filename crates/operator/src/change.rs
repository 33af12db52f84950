//! Changing a platform that is installed: another image, stopped or started, DNS on or off.
//!
//! Each is a change of the services that run keepers, in their environment alone: what keepers were told by a secret nobody
//! can read back, so it stays as it was. Swarm goes from node to node, and back when a node does not become healthy; whatever
//! was changed goes back with it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::install::{DNS_LABEL, InstallError, services, wait};
use crate::swarm::{Swarm, SwarmService};

/// The variable with the image that keepers make components of.
pub(crate) const IMAGE_VARIABLE: &str = "AMBO_KEEPER_IMAGE";
/// The variable with what they do.
const MODE_VARIABLE: &str = "AMBO_KEEPER_MODE";
/// The variable that says whether DNS is answered, over what was said when the platform was installed.
const DNS_VARIABLE: &str = "AMBO_KEEPER_DNS";

/// What keepers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Keep the components.
    Run,
    /// Remove them; their data stays.
    Stop,
}

impl Mode {
    /// As keepers read it.
    pub(crate) fn variable(self) -> String {
        let mode = match self {
            Self::Run => "run",
            Self::Stop => "stop",
        };
        format!("{MODE_VARIABLE}={mode}")
    }
}

/// What is to become of all keepers. What is not said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Our image. The same name again is a change, too: what it stands for may be new.
    pub image: Option<String>,
    /// What they do.
    pub mode: Option<Mode>,
    /// Whether every node answers DNS for the platform's domain.
    pub dns: Option<bool>,
}

/// What is done to one service.
#[derive(Debug, Clone)]
pub struct Step {
    /// The service, as it was seen.
    pub service: SwarmService,
    /// What it is to be.
    pub spec: Value,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let image = self.spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap_or_default();
        write!(f, "{}: {image}", self.service.name())?;
        let (was, is) = (&self.service.spec["Labels"][DNS_LABEL], &self.spec["Labels"][DNS_LABEL]);
        match is.as_str() {
            Some("true") if was != is => write!(f, ", answers DNS"),
            Some("false") if was != is => write!(f, ", answers no DNS"),
            _ => Ok(()),
        }
    }
}

/// What is to be done for a change, in this order. Pure. A service of which only DNS is asked, and which has it so, is left
/// alone: a change that was cut off can be made again, and nothing starts anew that need not.
#[must_use]
pub fn plan(services: &[SwarmService], change: &Change) -> Vec<Step> {
    let dns = change.dns.map(|dns| dns.to_string());
    let needed = services.iter().filter(|service| {
        let is_new = |dns: &String| service.spec["Labels"][DNS_LABEL] != *dns;
        change.image.is_some() || change.mode.is_some() || dns.as_ref().is_some_and(is_new)
    });
    needed.map(|service| Step { service: service.clone(), spec: changed(service, change) }).collect()
}

fn changed(service: &SwarmService, change: &Change) -> Value {
    let mut spec = service.spec.clone();
    let mut variables = Vec::new();
    if let Some(image) = &change.image {
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
        variables.push(format!("{IMAGE_VARIABLE}={image}"));
    }
    variables.extend(change.mode.map(Mode::variable));
    if let Some(dns) = change.dns {
        spec["Labels"][DNS_LABEL] = json!(dns.to_string());
        variables.push(format!("{DNS_VARIABLE}={dns}"));
    }
    let environment = &mut spec["TaskTemplate"]["ContainerSpec"]["Env"];
    *environment = json!(environment_with(environment, variables));
    // Also when nothing else is new: what the image's name stands for may be.
    spec["TaskTemplate"]["ForceUpdate"] = json!(service.changes() + 1);
    spec
}

/// The environment with these variables, in place of those of the same names.
fn environment_with(known: &Value, variables: Vec<String>) -> Vec<String> {
    let name = |variable: &str| variable.split_once('=').map_or(variable, |(name, _)| name).to_owned();
    let known = known.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut all: Vec<String> =
        known.filter(|had| !variables.iter().any(|new| name(new) == name(had))).map(str::to_owned).collect();
    all.extend(variables);
    all
}

/// Changes all keepers, and waits until every node has come along.
///
/// # Errors
/// When there is no platform, or Swarm goes back, because a node does not become healthy.
pub async fn change(
    swarm: &Swarm,
    change: &Change,
    within: Duration,
    said: &dyn Fn(String),
) -> Result<(), InstallError> {
    for step in plan(&services(swarm).await?, change) {
        said(step.to_string());
        swarm.service_update(&step.service, &step.spec).await?;
        wait(swarm, step.service.name(), within, said).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
