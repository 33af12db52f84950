//! How the platform is: every node with its components, and what to do about what is not well.

use serde::Serialize;

use crate::install::{InstallError, services};
use crate::swarm::{Swarm, SwarmNode, SwarmService, SwarmTask};

/// What is said of the components of a drained node.
const DRAINED: &str = "drained";

/// How the platform is.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Every node.
    pub nodes: Vec<NodeReport>,
    /// What to do, most urgent first.
    pub advice: Vec<String>,
}

/// How a node is.
#[derive(Debug, Clone, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// `manager`, `leader` of the swarm, or `worker`.
    pub rank: String,
    /// `ready`, `down` …, and what it was told.
    pub state: String,
    /// Whether its keeper says that all its components are well; else what it says.
    pub components: String,
    /// The image that they are made of.
    pub image: String,
}

impl NodeReport {
    /// For a table.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        [&self.name, &self.address, &self.rank, &self.state, &self.components, &self.image].map(Clone::clone).to_vec()
    }
}

impl Report {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.advice.is_empty()
    }
}

/// Asks the swarm.
///
/// # Errors
/// When the engine does not answer, or there is no platform.
pub async fn status(swarm: &Swarm) -> Result<Report, InstallError> {
    let services = services(swarm).await?;
    let mut keepers = Vec::new();
    for service in &services {
        let tasks = swarm.tasks(service.name()).await?;
        keepers.extend(tasks.into_iter().map(|task| (service.image().to_owned(), task)));
    }
    let mut nodes = swarm.nodes().await?;
    nodes.sort_by(|one, other| one.description.hostname.cmp(&other.description.hostname));
    let reports: Vec<NodeReport> = nodes.iter().map(|node| report(node, &keepers)).collect();
    let advice = advice(&nodes, &reports, &services);
    Ok(Report { nodes: reports, advice })
}

fn report(node: &SwarmNode, keepers: &[(String, SwarmTask)]) -> NodeReport {
    let of_node = || keepers.iter().filter(|(_, task)| task.node_id == node.id);
    let current = of_node().find(|(_, task)| task.desired_state == "running");
    let failed = of_node().map(|(_, task)| task.status.err.as_str()).find(|error| !error.is_empty());
    let components = match current.map(|(_, task)| task.status.state.as_str()) {
        _ if node.status.state != "ready" => "unknown".to_owned(),
        // Swarm stops keepers there, too; what they have started goes on.
        _ if node.spec.availability == "drain" => DRAINED.to_owned(),
        Some("running") => "healthy".to_owned(),
        Some(state) => format!("{state}{}", failed.map(|error| format!(": {error}")).unwrap_or_default()),
        None => "no keeper".to_owned(),
    };
    NodeReport {
        name: node.description.hostname.clone(),
        address: node.address().map_or_else(String::new, |address| address.to_string()),
        rank: match &node.manager_status {
            Some(manager) if manager.leader => "leader".to_owned(),
            Some(_) => "manager".to_owned(),
            None => node.spec.role.clone(),
        },
        state: match node.spec.availability.as_str() {
            "active" => node.status.state.clone(),
            told => format!("{}, {told}", node.status.state),
        },
        components,
        image: current.map_or_else(String::new, |(image, _)| image.clone()),
    }
}

fn advice(nodes: &[SwarmNode], reports: &[NodeReport], services: &[SwarmService]) -> Vec<String> {
    let mut advice = Vec::new();
    let managers: Vec<&SwarmNode> = nodes.iter().filter(|node| node.spec.role == "manager").collect();
    let reachable =
        |node: &&&SwarmNode| node.manager_status.as_ref().is_some_and(|manager| manager.reachability == "reachable");
    let alive = managers.iter().filter(reachable).count();
    if alive * 2 <= managers.len() + 1 && managers.len() > 1 {
        advice.push(format!(
            "{alive} of {} managers are reachable: the next to fail stops every change; start them again, or replace them",
            managers.len()
        ));
    }
    if managers.len() == 1 && nodes.len() > 2 {
        advice.push("there is one manager: `docker node promote` two more, so that one may fail".to_owned());
    }
    for report in reports {
        if !report.state.starts_with("ready") {
            advice.push(format!(
                "{} is {}: start it again, or `ambo nodes remove {}`",
                report.name, report.state, report.name
            ));
        } else if report.components != "healthy" && report.components != DRAINED {
            advice.push(format!(
                "{}: {}; `docker service logs` of its keeper tells more",
                report.name, report.components
            ));
        }
    }
    for service in services {
        // One that went back whole is as good as before.
        let is_halfway = |state: &str| matches!(state, "rollback_started" | "rollback_paused" | "paused");
        if let Some(update) = service.update_status.as_ref().filter(|update| is_halfway(&update.state)) {
            advice.push(format!("{} is between two images: {}", service.name(), update.message));
        }
    }
    advice
}
