//! One control plane at a time: who was elected later wins.
//!
//! The term in which a control plane was elected stands on a marker of the platform (a config of Swarm's, which anybody may
//! read and only one can change at a time) and on every service that it has changed. A driver looks at the marker before
//! it does anything, raises it when it is lower, and refuses when it is higher. A service is changed only in the version
//! that was looked at, so that one who was interrupted between looking and acting changes nothing that a successor has
//! touched since.

use std::collections::HashMap;

use ambo_engine_docker::EngineError;
use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::{Config, ConfigSpec};
use ambo_engine_docker::bollard::query_parameters::UpdateConfigOptions;
use ambo_scheduler::SchedulerError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::failure::{failed, is_out_of_sequence};
use crate::managers::Managers;

/// The marker's label.
const EPOCH: &str = "ambo.epoch";
/// Tries to be the one who changes the marker.
const TRIES_MAX: usize = 10;
/// Swarm takes no empty config.
const NOTHING: &str = "The label says it.";

/// Checks that this is the control plane elected last, and tells everybody so.
///
/// # Errors
/// [`SchedulerError::Deposed`] when it is not.
pub(crate) async fn check(managers: &Managers, platform: &str, epoch: u64) -> Result<(), SchedulerError> {
    let doing = "look who leads";
    for _ in 0..TRIES_MAX {
        let name = marker(platform);
        let found = managers.docker(|docker| inspect(docker, name.clone())).await.map_err(failed(doing))?;
        let told = match found {
            None => managers.docker(|docker| create(docker, name.clone(), epoch)).await,
            Some(config) => match epoch_of(&config) {
                seen if seen > epoch => return Err(SchedulerError::Deposed { ours: epoch, seen }),
                seen if seen == epoch => return Ok(()),
                _ => managers.docker(|docker| raise(docker, config.clone(), epoch)).await,
            },
        };
        match told {
            Ok(()) => return Ok(()),
            Err(error) if error.is_conflict() || is_out_of_sequence(&error) => {}
            Err(error) => return Err(failed(doing)(error)),
        }
    }
    let source = "others keep changing who leads".into();
    Err(SchedulerError::Engine { doing: doing.to_owned(), source })
}

fn marker(platform: &str) -> String {
    format!("ambo-{platform}-epoch")
}

fn epoch_of(config: &Config) -> u64 {
    let labels = config.spec.as_ref().and_then(|spec| spec.labels.as_ref());
    labels.and_then(|labels| labels.get(EPOCH)?.parse().ok()).unwrap_or(0)
}

async fn inspect(docker: Docker, name: String) -> Result<Option<Config>, EngineError> {
    match docker.inspect_config(&name).await.map_err(EngineError::from) {
        Ok(config) => Ok(Some(config)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn create(docker: Docker, name: String, epoch: u64) -> Result<(), EngineError> {
    let spec = ConfigSpec {
        name: Some(name),
        labels: Some(HashMap::from([(EPOCH.to_owned(), epoch.to_string())])),
        data: Some(BASE64_STANDARD.encode(NOTHING)),
        templating: None,
    };
    Ok(docker.create_config(spec).await.map(drop)?)
}

async fn raise(docker: Docker, config: Config, epoch: u64) -> Result<(), EngineError> {
    let version = config.version.and_then(|version| version.index).unwrap_or_default();
    let options = UpdateConfigOptions { version: i64::try_from(version).unwrap_or_default() };
    let mut spec = config.spec.unwrap_or_default();
    spec.labels.get_or_insert_default().insert(EPOCH.to_owned(), epoch.to_string());
    Ok(docker.update_config(config.id.as_deref().unwrap_or_default(), spec, options).await?)
}
