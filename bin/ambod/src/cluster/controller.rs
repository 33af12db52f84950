//! A controller: a candidate until it leads, then the control plane, until it is deposed or asked to stop.
//!
//! A deposed leader ends its process, and with it whatever it had begun; it comes back as a candidate.

mod builders;
mod copies;
mod dialer;
mod engines;
mod fitness;
mod foundation;
mod host_keys;
mod hub_routes;
mod joiners;
mod membership;
mod nodes;
mod samples;
mod services;
mod swarm;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambo_link::LinkServer;
use ambo_logs::LogStore;
use ambo_store::{Election, FencedStore, Leadership, Store};
use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::copies::Copying;
use self::engines::ClusterEngines;
use self::fitness::Fitness;
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

/// What a controller has, whether it leads or not.
struct Grounds {
    settings: Settings,
    data: Data,
    store: Arc<dyn Store>,
    engines: ClusterEngines,
    services: Arc<ControllerServices>,
}

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
    let engines = ClusterEngines::open(&settings)?;
    let copying = Copying::start(&settings, engines.clone(), &data.path().join("logs"))?;
    let grounds = Grounds { settings, data, store, engines, services };
    let elected = tokio::select! {
        leadership = grounds.elected() => Some(leadership),
        _ = signals.next() => None,
    };
    let logs = copying.end().await;
    let ended = match elected {
        Some(leadership) => grounds.lead(leadership, logs, &mut signals).await,
        None => Ok(()),
    };
    notify::stopping();
    stop.cancel();
    let _ = linked.await;
    ended
}

impl Grounds {
    /// Waits until this one leads.
    async fn elected(&self) -> Leadership {
        let election = Election::new(self.store.clone(), LEADER_KEY, LEADER_TTL);
        let (fitness, node) = (Fitness::new(self.engines.clone()), &self.settings.node);
        let campaign = async || {
            // The data directory is locked by us: whoever led under this node's name is dead.
            election.succeed(node.as_bytes()).await?;
            election.campaign(node.clone()).await
        };
        loop {
            fitness.attained().await;
            match campaign().await {
                Ok(leadership) => return leadership,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot stand for election now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Leads until deposed or no longer fit, which are errors, or asked to stop.
    async fn lead(&self, mut leadership: Leadership, logs: Arc<LogStore>, signals: &mut Signals) -> anyhow::Result<()> {
        tracing::info!(since = ?leadership.since(), "this controller leads");
        let deadline = Duration::from_secs(u64::from(self.settings.shutdown_seconds));
        let led = Led { fence: leadership.fence(), term: leadership.since().0, logs };
        let fitness = Fitness::new(self.engines.clone());
        let mut control = tokio::select! {
            started = self.start(led, deadline) => started?,
            () = leadership.hold() => bail!("the leadership was lost before it began"),
            () = fitness.lost() => return unfit(leadership).await,
            _ = signals.next() => return Ok(leadership.resign().await?),
        };
        tokio::select! {
            () = leadership.hold() => bail!("the leadership is lost: another controller leads"),
            () = fitness.lost() => return unfit(leadership).await,
            role = control.ended() => bail!("{role} has ended by itself"),
            _ = signals.next() => tracing::info!("stopping"),
        }
        self.services.stand_by();
        // As long as it is still the leader's to end what is at hand.
        tokio::select! {
            () = control.stop(deadline) => {}
            () = leadership.hold() => bail!("the leadership was lost while stopping"),
        }
        Ok(leadership.resign().await?)
    }

    /// Starts the control plane, and opens it to agents.
    async fn start(&self, led: Led, drain: Duration) -> anyhow::Result<Control> {
        let path = self.data.path();
        let fenced = Arc::new(FencedStore::new(self.store.clone(), led.fence.clone()));
        backup::restore_if_empty(&self.settings, path, fenced).await?;
        state::ensure_whole(&*self.store).await?;
        let (listeners, addresses) = ControlListeners::hidden()?;
        let Laid { foundation, hub, joiners, nodes, membership } = foundation::lay(self, led).await?;
        let logs = foundation.logs.clone();
        host_keys::share(foundation.store.as_ref(), path).await?;
        let platform = Platform::assemble(&self.settings, path, foundation, listeners).await?;
        // Routers first: they hear of the new table at once, and what drains is drained everywhere.
        self.services.routers_serve(hub, logs, nodes.subscribe());
        platform.controller.recover().await.context("put right what the last leader left behind")?;
        // A router that hands in many lines of its log says late that it came along. It goes on by its last table; clients wait
        // no longer for it than for the table itself.
        let controller = platform.controller.clone();
        let prepared = tokio::spawn(async move { controller.routes_prepare(ROUTES_PATIENCE).await });
        if let Ok(prepared) = tokio::time::timeout(ROUTES_PATIENCE, prepared).await {
            prepared.context("prepare the first routes")?;
        }
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
        self.services.clients_serve(addresses);
        Ok(control)
    }
}

/// Leaves the lead to others at once. What was begun ends with the process.
async fn unfit(leadership: Leadership) -> anyhow::Result<()> {
    leadership.resign().await?;
    bail!("the swarm does not answer this node, but others: another controller is to lead")
}
