//! What is here already.

use std::collections::{BTreeMap, BTreeSet};

use ambo_client::types::{Limits, Secret};
use ambo_client::{Client, ClientError};

use crate::exit::Outcome;

/// The app as it is here; empty when there is none.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// Whether there is an app of the name that this account may work on.
    pub(super) exists: bool,
    pub(super) config: BTreeMap<String, Secret>,
    pub(super) domains: BTreeSet<String>,
    /// Wanted counts. Empty before the first deploy: a process is known once something runs it.
    pub(super) formation: BTreeMap<String, u32>,
    pub(super) limits: Limits,
    /// Addresses.
    pub(super) collaborators: BTreeSet<String>,
    /// Pipeline and stage.
    pub(super) place: Option<(String, String)>,
    pub(super) drains: BTreeSet<String>,
}

/// Looks.
pub(super) async fn read(client: &Client, name: &str) -> Outcome<Present> {
    match client.app_info(name).await {
        Ok(_) => {}
        Err(ClientError::NotFound(_)) => return Ok(Present::default()),
        Err(error) => return Err(error.into()),
    }
    let config = client.config_info(name).await?;
    let formation = client.formation_list(name).await?;
    let drains = match client.moving_drains(name).await {
        Ok(drains) => drains,
        // A server without drains.
        Err(ClientError::NotFound(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(Present {
        exists: true,
        config: config.into_iter().map(|(key, value)| (key, Secret::new(value))).collect(),
        domains: client.domain_list(name).await?.into_iter().map(|domain| domain.hostname).collect(),
        formation: formation.into_iter().map(|one| (one.process_type, one.quantity)).collect(),
        limits: client.limits_info(name).await?,
        collaborators: client.access_list(name).await?.into_iter().map(|one| one.user.email).collect(),
        place: client.moving_place(name).await?,
        drains: drains.into_iter().map(|drain| drain.url).collect(),
    })
}
