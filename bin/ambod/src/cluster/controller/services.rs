//! What a controller offers to agents: everything when it leads, nothing but its word when it does not.

use std::net::SocketAddr;
use std::sync::Arc;

use ambo_link::routing::{Hub, LinesSink, RoutedNode, nodes_tell};
use ambo_link::{Accepted, Refusal, Role, Service, Services};
use ambo_logs::LogStore;
use ambo_model::LogLine;
use async_trait::async_trait;
use parking_lot::RwLock;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::copies::Copies;
use crate::listeners::ControlAddresses;

/// What is offered now.
#[derive(Debug, Default)]
pub(super) struct ControllerServices {
    routers: RwLock<Option<Routers>>,
    clients: RwLock<Option<ControlAddresses>>,
}

#[derive(Debug, Clone)]
struct Routers {
    hub: Arc<Hub>,
    logs: Arc<LogStore>,
    copies: Arc<Copies>,
    nodes: watch::Receiver<Vec<RoutedNode>>,
}

impl ControllerServices {
    /// From now on routers are steered, whoever answers DNS is told of them, and the logs are copied.
    pub(super) fn routers_serve(&self, hub: Arc<Hub>, logs: Arc<LogStore>, nodes: watch::Receiver<Vec<RoutedNode>>) {
        *self.routers.write() = Some(Routers { hub, logs, copies: Arc::default(), nodes });
    }

    /// From now on clients are served.
    pub(super) fn clients_serve(&self, addresses: ControlAddresses) {
        *self.clients.write() = Some(addresses);
    }

    /// From now on new clients and routers are sent elsewhere.
    pub(super) fn stand_by(&self) {
        *self.routers.write() = None;
        *self.clients.write() = None;
    }

    fn server(&self, service: Service) -> Option<SocketAddr> {
        let addresses = (*self.clients.read())?;
        match service {
            Service::Api => Some(addresses.api),
            Service::Ssh => Some(addresses.ssh),
            Service::Registry => Some(addresses.registry),
            Service::Rendezvous => Some(addresses.rendezvous),
            Service::Routes | Service::Nodes | Service::Logs | Service::Engine | Service::Metrics => None,
        }
    }

    async fn router_serve(&self, accepted: Accepted) {
        let Some(routers) = self.routers.read().clone() else {
            return accepted.refuse(Refusal::Standby { leader: None }).await;
        };
        let node = accepted.peer.node.clone();
        let Ok(stream) = accepted.take().await else { return };
        tracing::info!(node, "a router has come");
        if let Err(error) = routers.hub.serve(&node, stream, &KeptLines(&routers)).await {
            tracing::info!(node, %error, "a router has gone");
        }
    }

    async fn nodes_serve(&self, accepted: Accepted) {
        let Some(routers) = self.routers.read().clone() else {
            return accepted.refuse(Refusal::Standby { leader: None }).await;
        };
        let node = accepted.peer.node.clone();
        let Ok(stream) = accepted.take().await else { return };
        if let Err(error) = nodes_tell(stream, routers.nodes).await {
            tracing::info!(node, %error, "its DNS has gone");
        }
    }

    async fn logs_serve(&self, accepted: Accepted) {
        let Some(routers) = self.routers.read().clone() else {
            return accepted.refuse(Refusal::Standby { leader: None }).await;
        };
        let node = accepted.peer.node.clone();
        let Ok(stream) = accepted.take().await else { return };
        tracing::info!(node, "keeps a copy of the logs");
        if let Err(error) = routers.copies.serve(&routers.logs, stream).await {
            tracing::info!(node, %error, "its copy of the logs has gone");
        }
    }

    async fn client_serve(&self, accepted: Accepted) {
        let Some(address) = self.server(accepted.opening.service) else {
            return accepted.refuse(Refusal::Standby { leader: None }).await;
        };
        let (service, client) = (accepted.opening.service, accepted.opening.client);
        let mut server = match TcpStream::connect(address).await {
            Ok(server) => server,
            Err(error) => return accepted.refuse(Refusal::Unavailable { reason: error.to_string() }).await,
        };
        let Ok(mut stream) = accepted.take().await else { return };
        let passed = async {
            server.set_nodelay(true)?;
            // The others have no use for it.
            if matches!(service, Service::Api | Service::Registry) {
                let line = ambo_api::proxy_line(client.unwrap_or(address), address);
                server.write_all(line.as_bytes()).await?;
            }
            tokio::io::copy_bidirectional(&mut stream, &mut server).await
        };
        // Either end may break it at any time.
        let _ = passed.await;
    }
}

#[async_trait]
impl Services for ControllerServices {
    async fn serve(&self, accepted: Accepted) {
        match (accepted.peer.role, accepted.opening.service) {
            (Role::Agent, Service::Routes) => self.router_serve(accepted).await,
            (Role::Agent, Service::Nodes) => self.nodes_serve(accepted).await,
            (Role::Agent, Service::Api | Service::Ssh | Service::Registry | Service::Rendezvous) => {
                self.client_serve(accepted).await;
            }
            (Role::Controller, Service::Logs) => self.logs_serve(accepted).await,
            _ => accepted.refuse(Refusal::Forbidden).await,
        }
    }
}

/// Routers' lines, into the log and its copies.
struct KeptLines<'a>(&'a Routers);

#[async_trait]
impl LinesSink for KeptLines<'_> {
    async fn keep(&self, lines: Vec<LogLine>) {
        let Routers { logs, copies, .. } = self.0;
        for line in lines {
            logs.append_when_room(line).await;
        }
        copies.come_along(logs).await;
    }
}
