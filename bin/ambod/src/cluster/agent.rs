//! An agent: it owns its node's public sockets, opens its engine to controllers and tells them what the node measures.
//!
//! Users' connections it leaves to the router, to which it gives the sockets. Connections to the API, git, the rendezvous and
//! the registry it passes to whoever leads.

mod engine;
mod metrics;
mod relay;
mod services;
mod sockets;

use std::sync::Arc;
use std::time::Duration;

use ambo_link::{Leader, LinkClient, LinkServer, Service};
use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::identity::{controllers, identity};
use super::meeting::Meeting;
use crate::listeners::{ControlListeners, from_std};
use crate::notify;
use crate::settings::Settings;
use crate::signals::Signals;

/// Serves until a signal says otherwise.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("listen for signals")?;
    let identity = identity(&settings)?;
    let leader = Leader::among(LinkClient::new(identity.clone()), controllers(&settings)?);
    let link = TcpListener::bind(settings.listen_agent)
        .await
        .with_context(|| format!("listen on {} for controllers", settings.listen_agent))?;
    let meeting = Meeting::at(&settings.run);
    let control = ControlListeners::open(&settings)?;
    let stop = CancellationToken::new();
    let mut parts = JoinSet::new();
    let relay = relay::Relay::new(leader);
    parts.spawn(relay.clone().component(super::meeting::listen(&meeting.leader())?, Service::Routes));
    parts.spawn(relay.clone().component(super::meeting::listen(&meeting.nodes())?, Service::Nodes));
    parts.spawn(sockets::serve(super::meeting::listen(&meeting.sockets())?, settings.clone()));
    for (listener, service) in [
        (control.api, Service::Api),
        (control.ssh, Service::Ssh),
        (control.registry, Service::Registry),
        (control.rendezvous, Service::Rendezvous),
    ] {
        parts.spawn(relay.clone().clients(from_std(listener)?, service));
    }
    let services = Arc::new(services::AgentServices::new(&settings, &meeting)?);
    parts.spawn(LinkServer::new(link, identity).run(services, stop.clone()));
    tracing::info!(api = %settings.listen_api, link = %settings.listen_agent, "agent of node {} serves", settings.node);
    notify::ready();
    tokio::select! {
        _ = signals.next() => tracing::info!("stopping"),
        ended = parts.join_next() => bail!("a part of the agent has ended by itself: {ended:?}"),
    }
    notify::stopping();
    stop.cancel();
    parts.shutdown().await;
    relay.end(Duration::from_secs(u64::from(settings.shutdown_seconds))).await;
    Ok(())
}
