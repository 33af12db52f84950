//! A controller: a candidate until it leads, then the control plane, until it is deposed or asked to stop.
//!
//! A deposed leader ends its process, and with it whatever it had begun; it comes back as a candidate.

mod copies;
mod dialer;
mod engines;
mod foundation;
mod host_keys;
mod hub_routes;
mod joiners;
mod membership;
mod nodes;
mod services;
mod swarm;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambo_link::LinkServer;
use ambo_store::{Election, FencedStore, Leadership, Store};
use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::copies::Copying;
use self::foundation::{Laid, Led};
use self::services::ControllerServices;
use super::identity::identity;
use crate::data::Data;
use crate::listeners::ControlListeners;
use crate::platform::Platform;
use crate::running::Control;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::{backup, notify, state};

/// The key that the leader holds.
const LEADER_KEY: &str = "cluster/leader";
/// How long a leader that is not heard of still leads: longer than etcd takes to elect a leader of its own, so that the death of
/// a member is not the leader's.
const LEADER_TTL: Duration = Duration::from_secs(3);
/// Pause before a candidate tries again after the store has failed.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the first route table may take. The routers serve by their last one meanwhile.
const ROUTES_PATIENCE: Duration = Duration::from_secs(3);

/// Stands for election, and leads when elected, until a signal says otherwise.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("listen for signals")?;
    let data = Data::take(Path::new(&settings.data), false).await?;
    let store = state::open(&settings, data.path())?;
    let (services, stop) = (Arc::new(ControllerServices::default()), CancellationToken::new());
    let link = TcpListener::bind(settings.listen_link)
        .await
        .with_context(|| format!("listen on {} for agents", settings.listen_link))?;
    let linked = tokio::spawn(LinkServer::new(link, identity(&settings)?).run(services.clone(), stop.clone()));
    tracing::info!(link = %settings.listen_link, "controller of node {} stands by", settings.node);
    notify::ready();
    let copying = Copying::start(&settings, &data.path().join("logs"))?;
    let elected = tokio::select! {
        leadership = elected(&settings, &store) => Some(leadership),
        _ = signals.next() => None,
    };
    let logs = copying.end().await;
    let ended = match elected {
        Some(leadership) => {
            let led = Led { fence: leadership.fence(), term: leadership.since().0, logs };
            lead(&settings, &data, store, leadership, led, &services, &mut signals).await
        }
        None => Ok(()),
    };
    notify::stopping();
    stop.cancel();
    let _ = linked.await;
    ended
}

/// Waits until this one leads.
async fn elected(settings: &Settings, store: &Arc<dyn Store>) -> Leadership {
    let election = Election::new(store.clone(), LEADER_KEY, LEADER_TTL);
    let campaign = async || {
        // The data directory is locked by us: whoever led under this node's name is dead.
        election.succeed(settings.node.as_bytes()).await?;
        election.campaign(settings.node.clone()).await
    };
    loop {
        match campaign().await {
            Ok(leadership) => return leadership,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot stand for election now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Leads until deposed, which is an error, or asked to stop.
async fn lead(
    settings: &Settings,
    data: &Data,
    store: Arc<dyn Store>,
    mut leadership: Leadership,
    led: Led,
    services: &ControllerServices,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    tracing::info!(since = ?leadership.since(), "this controller leads");
    let deadline = Duration::from_secs(u64::from(settings.shutdown_seconds));
    let mut control = tokio::select! {
        started = start(settings, data, store, led, services, deadline) => started?,
        () = leadership.hold() => bail!("the leadership was lost before it began"),
        _ = signals.next() => return Ok(leadership.resign().await?),
    };
    tokio::select! {
        () = leadership.hold() => bail!("the leadership is lost: another controller leads"),
        role = control.ended() => bail!("{role} has ended by itself"),
        _ = signals.next() => tracing::info!("stopping"),
    }
    services.stand_by();
    // As long as it is still the leader's to end what is at hand.
    tokio::select! {
        () = control.stop(deadline) => {}
        () = leadership.hold() => bail!("the leadership was lost while stopping"),
    }
    Ok(leadership.resign().await?)
}

/// Starts the control plane, and opens it to agents.
async fn start(
    settings: &Settings,
    data: &Data,
    store: Arc<dyn Store>,
    leadership: Led,
    services: &ControllerServices,
    drain: Duration,
) -> anyhow::Result<Control> {
    let fenced = Arc::new(FencedStore::new(store.clone(), leadership.fence.clone()));
    backup::restore_if_empty(settings, data.path(), fenced).await?;
    state::ensure_whole(&*store).await?;
    let (listeners, addresses) = ControlListeners::hidden()?;
    let Laid { foundation, hub, joiners, nodes, membership } =
        foundation::lay(settings, data, store, leadership).await?;
    let logs = foundation.logs.clone();
    host_keys::share(foundation.store.as_ref(), data.path()).await?;
    let platform = Platform::assemble(settings, data.path(), foundation, listeners).await?;
    // Routers first: they hear of the new table at once, and what drains is drained everywhere.
    services.routers_serve(hub, logs, nodes.subscribe());
    platform.controller.recover().await.context("put right what the last leader left behind")?;
    platform.controller.routes_prepare(ROUTES_PATIENCE).await;
    let mut control = platform.start(drain);
    let accepting = control.accepting();
    control.add("routers' networks", async move {
        let _ = accepting.run_until_cancelled(joiners.sweep()).await;
    });
    let accepting = control.accepting();
    control.add("list of nodes", async move {
        let _ = accepting.run_until_cancelled(nodes.follow()).await;
    });
    let accepting = control.accepting();
    control.add("managers and members of etcd", async move {
        let _ = accepting.run_until_cancelled(membership.keep()).await;
    });
    services.clients_serve(addresses);
    Ok(control)
}
