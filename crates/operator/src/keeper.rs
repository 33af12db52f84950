//! A keeper: makes the components of its node be there, as they should be, and says whether they are well.

mod member;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambo_engine_docker::bollard::models::{ContainerSummary, NetworkConnectRequest};
use ambo_engine_docker::bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, RemoveContainerOptions, StartContainerOptions, StopContainerOptions,
};
use ambo_engine_docker::{Engine, EngineError};
use ambo_link::authority::Issued;
use ambo_model::{Secret, Timestamp};
use async_trait::async_trait;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use crate::bundle::Bundle;
use crate::component::{Component, ETCD_PORTS, Handover, LINK_PORT, NodeFacts, components};
use crate::container::{COMPONENT_LABEL, DIGEST_LABEL, body, digest, name};
use crate::files::{Files, FilesError};
use crate::membership::Member;

/// How long a component that was just started may take to be well.
const WELL_DURATION_MAX: Duration = Duration::from_secs(90);
/// How long Swarm may take to make a node what its keeper is for.
const RANK_DURATION_MAX: Duration = Duration::from_secs(60);
/// Pause between two looks at a component that is about to be well.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for a component to take a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(2);

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The node's engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The node's files.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The node is in no swarm.
    #[error("the engine of this node is in no swarm: join it with `docker swarm join`")]
    NoSwarm,
    /// The keeper of another rank is to look after this node.
    #[error("{node} is not of the rank that this keeper is for, and Swarm has not replaced it yet")]
    OtherRank {
        /// Which.
        node: String,
    },
    /// A worker's agent has no certificate yet.
    #[error("no controller gives this node's agent its certificate: {0}")]
    Enrolment(String),
    /// A component does not work.
    #[error("{name} is not well: {reason}; `docker logs {container}` on {node} tells more")]
    Unwell {
        /// Which.
        name: &'static str,
        /// What was tried.
        reason: String,
        /// Its container.
        container: String,
        /// Where.
        node: String,
    },
}

/// Asks a controller for the certificate of a worker's agent.
#[async_trait]
pub trait Enrolment: std::fmt::Debug + Send + Sync + 'static {
    /// Asks any of these managers, and brings the node's first labels.
    async fn enrol(
        &self,
        node: &NodeFacts,
        labels: &BTreeMap<String, String>,
        root: &str,
        token: &Secret,
    ) -> Result<Issued, String>;
}

/// Asks etcd who its members are.
#[async_trait]
pub trait Membership: std::fmt::Debug + Send + Sync + 'static {
    /// Asks the members at these addresses, with the certificate in this directory; `None` when none of them can know.
    async fn list(&self, at: &[IpAddr], certificate: &Path) -> Option<Vec<Member>>;
}

/// What a keeper is given.
#[derive(Debug)]
pub struct KeeperSettings {
    /// The node's engine.
    pub engine: Engine,
    /// The platform's settings, and on managers its keys.
    pub bundle: Bundle,
    /// Our image.
    pub image: String,
    /// Where the node's components keep their things, as we see it.
    pub files: Files,
    /// Where they meet, as we see it.
    pub run: PathBuf,
    /// The way to a worker's certificate.
    pub enrolment: Box<dyn Enrolment>,
    /// The way to etcd's members.
    pub membership: Box<dyn Membership>,
}

/// Keeps the components of one node.
#[derive(Debug)]
pub struct Keeper(KeeperSettings);

impl Keeper {
    /// A keeper of the node that the engine is on.
    #[must_use]
    pub fn new(settings: KeeperSettings) -> Self {
        Self(settings)
    }

    /// Makes everything be as it should be, and looks whether it is well.
    ///
    /// # Errors
    /// When something cannot be made, or does not work.
    pub async fn round(&self) -> Result<(), KeeperError> {
        let mut node = self.facts_await().await?;
        self.files_lay(&node).await?;
        if let Bundle::Manager { spec, .. } = &self.0.bundle {
            self.member_settle(spec, &mut node).await?;
        }
        let mut wanted = components(&self.0.bundle, &node, &self.image_id().await?);
        for component in &mut wanted {
            component.certificates = self.0.files.certificates_of(component.name);
        }
        for component in &wanted {
            self.ensure(component, &node).await?;
        }
        self.remove_others(&wanted).await?;
        if matches!(self.0.bundle, Bundle::Worker { .. }) {
            self.0.files.manager_clear()?;
        }
        Ok(())
    }

    /// What is known of the node, once it is what our bundle is for. While its rank changes the keepers of both are there, and
    /// what one lays down the other would clear away.
    async fn facts_await(&self) -> Result<NodeFacts, KeeperError> {
        let deadline = Instant::now() + RANK_DURATION_MAX;
        let wants_manager = matches!(self.0.bundle, Bundle::Manager { .. });
        loop {
            let node = facts(&self.0.engine).await?;
            if node.is_manager == wants_manager {
                return Ok(node);
            }
            if Instant::now() >= deadline {
                return Err(KeeperError::OtherRank { node: node.name });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Removes the components, whose data stays.
    ///
    /// # Errors
    /// When the engine does not do it.
    pub async fn stop_all(&self) -> Result<(), KeeperError> {
        self.remove_others(&[]).await
    }

    /// What the image's name stands for on this node now: a name may be given to another image.
    async fn image_id(&self) -> Result<String, KeeperError> {
        let image = self.0.engine.client().await?.inspect_image(&self.0.image).await.map_err(EngineError::from)?;
        Ok(image.id.unwrap_or_else(|| self.0.image.clone()))
    }

    async fn files_lay(&self, node: &NodeFacts) -> Result<(), KeeperError> {
        let now = Timestamp::now();
        self.0.files.directories_make()?;
        match &self.0.bundle {
            Bundle::Manager { spec, keys } => self.0.files.manager_lay(spec, keys, node, now)?,
            Bundle::Worker { root, token, .. } => {
                if !self.0.files.has_agent(&node.id, root, now) {
                    let labels = self.0.files.labels()?;
                    let issued = self.0.enrolment.enrol(node, &labels, root, token).await;
                    self.0.files.agent_lay(&issued.map_err(KeeperError::Enrolment)?, &node.id, root, now)?;
                    self.0.files.labels_forget()?;
                }
            }
        }
        Ok(())
    }

    async fn ensure(&self, component: &Component, node: &NodeFacts) -> Result<(), KeeperError> {
        let known = self.containers(component.name).await?;
        let (current, others): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|container| label(container, DIGEST_LABEL) == digest(component));
        if component.handover == Handover::After {
            self.stop(&others, component).await?;
        }
        if let Some(container) = current.first() {
            if !is_running(container) {
                self.start(id(container)).await?;
            }
        } else {
            self.create(component, &others).await?;
        }
        self.wait_until_well(component, node).await?;
        match component.handover {
            Handover::After => Ok(()),
            Handover::Beside => self.stop(&others, component).await,
        }
    }

    /// Containers of components that this node is not to have any more.
    async fn remove_others(&self, wanted: &[Component]) -> Result<(), KeeperError> {
        let filters = HashMap::from([("label".to_owned(), vec![COMPONENT_LABEL.to_owned()])]);
        for container in self.list(filters).await? {
            if !wanted.iter().any(|component| label(&container, COMPONENT_LABEL) == component.name) {
                tracing::info!(container = id(&container), "this node is to have it no more");
                self.remove(id(&container), Duration::from_secs(40)).await?;
            }
        }
        Ok(())
    }

    async fn containers(&self, name: &str) -> Result<Vec<ContainerSummary>, KeeperError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{COMPONENT_LABEL}={name}")])]);
        self.list(filters).await
    }

    async fn list(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<ContainerSummary>, KeeperError> {
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = self.0.engine.client().await?.list_containers(Some(options)).await;
        Ok(listed.map_err(EngineError::from)?)
    }

    /// Makes it and starts it, on the networks that the one before was on.
    async fn create(&self, component: &Component, before: &[ContainerSummary]) -> Result<(), KeeperError> {
        let (name, client) = (name(component), self.0.engine.client().await?);
        tracing::info!(container = name, "starting");
        let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
        client.create_container(Some(options), body(component)).await.map_err(EngineError::from)?;
        if !component.is_on_host {
            for network in before.iter().flat_map(networks).filter(|network| network != "bridge") {
                let request = NetworkConnectRequest { container: name.clone(), endpoint_config: None };
                match client.connect_network(&network, request).await.map_err(EngineError::from) {
                    // The app has gone meanwhile.
                    Err(error) if error.is_not_found() => {}
                    connected => connected?,
                }
            }
        }
        self.start(&name).await
    }

    async fn start(&self, container: &str) -> Result<(), KeeperError> {
        let started = self.0.engine.client().await?.start_container(container, None::<StartContainerOptions>).await;
        Ok(started.map_err(EngineError::from)?)
    }

    async fn stop(&self, containers: &[ContainerSummary], component: &Component) -> Result<(), KeeperError> {
        for container in containers {
            tracing::info!(container = id(container), component = component.name, "stopping the one before");
            self.remove(id(container), Duration::from_secs(u64::from(component.grace_seconds))).await?;
        }
        Ok(())
    }

    async fn remove(&self, container: &str, grace: Duration) -> Result<(), KeeperError> {
        let client = self.0.engine.client_with_timeout(grace).await?;
        let seconds = i32::try_from(grace.as_secs()).ok();
        let options = StopContainerOptions { t: seconds, ..Default::default() };
        match client.stop_container(container, Some(options)).await.map_err(EngineError::from) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        match client.remove_container(container, Some(options)).await.map_err(EngineError::from) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn wait_until_well(&self, component: &Component, node: &NodeFacts) -> Result<(), KeeperError> {
        let deadline = Instant::now() + WELL_DURATION_MAX;
        loop {
            let Err(reason) = look(component, node, &self.0.run).await else { return Ok(()) };
            if Instant::now() >= deadline {
                let (container, node) = (name(component), node.name.clone());
                return Err(KeeperError::Unwell { name: component.name, reason, container, node });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether a component takes connections.
async fn look(component: &Component, node: &NodeFacts, run: &Path) -> Result<(), String> {
    let local = IpAddr::from([127, 0, 0, 1]);
    match component.name {
        "etcd" => connect(node.address, ETCD_PORTS.0).await,
        "controller" => connect(local, LINK_PORT).await,
        "agent" => connect(local, port(component, "AMBO_LISTEN_API", 7080)).await,
        "dns" => connect(dns_ip(component).unwrap_or(local), port(component, "AMBO_LISTEN_DNS", 53)).await,
        _ => {
            let socket = run.join("dial.sock");
            let connected = UnixStream::connect(&socket).await;
            connected.map_err(|error| format!("connect to {}: {error}", socket.display()))?;
            connect(local, port(component, "AMBO_LISTEN_HTTP", 80)).await
        }
    }
}

async fn connect(ip: IpAddr, port: u16) -> Result<(), String> {
    let address = SocketAddr::new(ip, port);
    match tokio::time::timeout(CONNECT_DURATION_MAX, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("connect to {address}: {error}")),
        Err(_) => Err(format!("connect to {address}: no answer")),
    }
}

fn port(component: &Component, variable: &str, default: u16) -> u16 {
    address(component, variable).map_or(default, |address| address.port())
}

/// Where DNS is answered, if not everywhere: beside a resolver of the machine's own.
fn dns_ip(component: &Component) -> Option<IpAddr> {
    address(component, "AMBO_LISTEN_DNS").map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

fn address(component: &Component, variable: &str) -> Option<SocketAddr> {
    component.env.get(variable).and_then(|address| address.parse().ok())
}

/// What the engine knows of its node.
///
/// # Errors
/// When it does not answer, or is in no swarm.
pub async fn facts(engine: &Engine) -> Result<NodeFacts, KeeperError> {
    let info = engine.client().await?.info().await.map_err(EngineError::from)?;
    let swarm = info.swarm.ok_or(KeeperError::NoSwarm)?;
    let address = swarm.node_addr.as_deref().and_then(|address| address.parse().ok()).ok_or(KeeperError::NoSwarm)?;
    let peers = swarm.remote_managers.unwrap_or_default().into_iter().filter_map(|peer| peer.addr);
    let mut managers: Vec<IpAddr> =
        peers.filter_map(|peer| peer.parse::<SocketAddr>().ok()).map(|peer| peer.ip()).collect();
    managers.sort();
    managers.dedup();
    Ok(NodeFacts {
        id: swarm.node_id.filter(|id| !id.is_empty()).ok_or(KeeperError::NoSwarm)?,
        name: info.name.unwrap_or_default(),
        address,
        is_manager: swarm.control_available.unwrap_or(false),
        managers,
        etcd: None,
        voters: Vec::new(),
    })
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> &'a str {
    container.labels.as_ref().and_then(|labels| labels.get(name)).map_or("", String::as_str)
}

fn id(container: &ContainerSummary) -> &str {
    container.id.as_deref().unwrap_or_default()
}

fn networks(container: &ContainerSummary) -> Vec<String> {
    let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    networks.map(|networks| networks.keys().cloned().collect()).unwrap_or_default()
}

fn is_running(container: &ContainerSummary) -> bool {
    container.state.as_ref().is_some_and(|state| state.to_string() == "running")
}
