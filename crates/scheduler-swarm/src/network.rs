//! The network of an app: its instances, its one-off instances and the routers are on it, and nobody else is.

use std::collections::HashMap;

use ambo_engine_docker::EngineError;
use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::{Network, NetworkCreateRequest};
use ambo_engine_docker::bollard::query_parameters::ListNetworksOptions;
use ambo_model::AppId;
use ambo_scheduler::SchedulerError;

use crate::driver::Cluster;
use crate::failure::failed;

/// Whose networks are ours.
const PLATFORM: &str = "ambo.platform";
/// As many of a platform's id as stand in the names of its networks.
const PLATFORM_CHARS: usize = 8;
/// Whose a network is.
const APP_ID: &str = "ambo.app-id";

impl Cluster {
    /// The name of an app's network, which it keeps when it is renamed. Swarm allows 63 characters, which a platform's whole
    /// id has no room in.
    pub(crate) fn network_name(&self, app: AppId) -> String {
        let platform: String = self.settings.docker.platform.chars().take(PLATFORM_CHARS).collect();
        format!("ambo-{platform}-{app}")
    }

    /// Makes the app's network be there and the routers be on it; gives its name.
    pub(crate) async fn network_ensure(&self, app: AppId) -> Result<String, SchedulerError> {
        let name = self.network_name(app);
        let doing = || format!("make network `{name}`");
        let found = self.managers.docker(|docker| find(docker, name.clone())).await.map_err(failed(doing()))?;
        if found.is_none() {
            let labels = HashMap::from([
                (PLATFORM.to_owned(), self.settings.docker.platform.clone()),
                (APP_ID.to_owned(), app.to_string()),
            ]);
            let made = self.managers.docker(|docker| create(docker, name.clone(), labels.clone())).await;
            match made {
                Err(error) if error.is_conflict() => {}
                made => made.map_err(failed(doing()))?,
            }
        }
        self.routers_join(&name).await?;
        Ok(name)
    }

    pub(crate) async fn routers_join(&self, network: &str) -> Result<(), SchedulerError> {
        let joined = self.joiners.join(network).await;
        joined.map_err(|source| SchedulerError::Engine { doing: format!("attach the routers to {network}"), source })
    }

    /// Removes the app's network when none of its workloads is left. It goes later when something is still on it.
    pub(crate) async fn network_tidy(&self, app: AppId) -> Result<(), SchedulerError> {
        let _alone = self.apps.lock(&app).await;
        let tasks = self.tasks_list().await?;
        if self.app_has_services(app).await?
            || tasks.iter().any(|task| task.identity.workload.app == app && !task.has_ended())
        {
            return Ok(());
        }
        let name = self.network_name(app);
        if let Err(error) = self.joiners.leave(&name).await {
            tracing::debug!(network = %name, %error, "a router has not left a network that nothing runs on");
            return Ok(());
        }
        match self.managers.docker(|docker| remove(docker, name.clone())).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.is_down() => Err(failed("remove a network")(error)),
            Err(error) => {
                tracing::debug!(network = %name, %error, "a network that nothing should run on is still in use");
                Ok(())
            }
        }
    }
}

async fn find(docker: Docker, name: String) -> Result<Option<Network>, EngineError> {
    let filters =
        Some(HashMap::from([("name".to_owned(), vec![name.clone()]), ("scope".to_owned(), vec!["swarm".to_owned()])]));
    let networks = docker.list_networks(Some(ListNetworksOptions { filters })).await?;
    Ok(networks.into_iter().find(|network| network.name.as_deref() == Some(&name)))
}

async fn create(docker: Docker, name: String, labels: HashMap<String, String>) -> Result<(), EngineError> {
    let request = NetworkCreateRequest {
        name,
        driver: Some("overlay".to_owned()),
        attachable: Some(true),
        labels: Some(labels),
        ..Default::default()
    };
    Ok(docker.create_network(request).await.map(drop)?)
}

async fn remove(docker: Docker, name: String) -> Result<(), EngineError> {
    Ok(docker.remove_network(&name).await?)
}
