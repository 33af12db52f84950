//! The bridge that instances are on: the machine reaches them, they do not reach one another.

use std::collections::HashMap;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::{Network, NetworkCreateRequest};
use ambo_engine_docker::bollard::query_parameters::ListNetworksOptions;
use ambo_scheduler::SchedulerError;

use crate::failure::failed;

/// Docker's option that decides whether containers on a bridge reach one another.
const INTER_CONTAINER: &str = "com.docker.network.bridge.enable_icc";

/// Makes the network be there; gives its id.
pub(crate) async fn network_ensure(docker: &Docker, name: &str) -> Result<String, SchedulerError> {
    if let Some(id) = network_find(docker, name).await? {
        return Ok(id);
    }
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        options: Some(HashMap::from([(INTER_CONTAINER.to_owned(), "false".to_owned())])),
        ..Default::default()
    };
    let made = docker.create_network(request).await.map_err(failed(format!("make network `{name}`")))?;
    // Docker 20.10 lets two callers at once make two networks of one name; the older one stays.
    let stays = network_find(docker, name).await?.unwrap_or_else(|| made.id.clone());
    if stays != made.id {
        docker.remove_network(&made.id).await.map_err(failed(format!("remove the second network `{name}`")))?;
    }
    Ok(stays)
}

/// The oldest network of this name.
async fn network_find(docker: &Docker, name: &str) -> Result<Option<String>, SchedulerError> {
    let filters = Some(HashMap::from([("name".to_owned(), vec![name.to_owned()])]));
    let networks = docker.list_networks(Some(ListNetworksOptions { filters })).await;
    let mut networks = networks.map_err(failed("list networks"))?;
    networks.retain(|network| network.name.as_deref() == Some(name));
    networks.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    let Some(network) = networks.into_iter().next() else { return Ok(None) };
    if !is_fit(&network) {
        return Err(SchedulerError::Engine {
            doing: format!("use network `{name}`"),
            source: format!(
                "it lets instances of different apps reach one another: remove it (`docker network rm {name}`) or set \
                 another name"
            )
            .into(),
        });
    }
    Ok(network.id)
}

fn is_fit(network: &Network) -> bool {
    let option = network.options.as_ref().and_then(|options| options.get(INTER_CONTAINER));
    network.driver.as_deref() == Some("bridge") && option.is_some_and(|value| value == "false")
}
