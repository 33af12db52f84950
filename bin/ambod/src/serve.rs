//! The platform's life in this process: assemble, serve, stop or hand over.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::Instant;

use crate::data::Data;
use crate::listeners::{Listeners, worker_count};
use crate::platform::Platform;
use crate::running::{Control, RunningRouter};
use crate::settings::Settings;
use crate::signals::{Asked, Signals};
use crate::{handover, notify, one_machine, state};

/// How long the first route table may take before the router begins with the last one.
const ROUTES_PATIENCE: Duration = Duration::from_secs(3);

/// Serves until a signal says otherwise.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("listen for signals")?;
    let listeners = Listeners::open(&settings, worker_count(&settings))?;
    let data = Data::take(Path::new(&settings.data), handover::is_successor()).await?;
    let sockets = listeners.duplicate()?;
    let deadline = Duration::from_secs(u64::from(settings.shutdown_seconds));
    let (router, foundation) = one_machine::open(&settings, &data, listeners.router)?;
    state::ensure_whole(&*foundation.store).await?;
    let platform = Platform::assemble(&settings, data.path(), foundation, listeners.control).await?;
    platform.controller.recover().await.context("put right what the last run left behind")?;
    platform.controller.routes_prepare(ROUTES_PATIENCE).await;
    // The router first, with its last good table; then everything else.
    let (mut router, mut control) = (RunningRouter::start(router), platform.start(deadline));
    announce(&settings);
    notify::ready();

    let asked = tokio::select! {
        asked = signals.next() => asked,
        role = control.ended() => bail!("{role} has ended by itself"),
        () = router.ended() => bail!("the router has ended by itself"),
    };
    notify::stopping();
    let begun = Instant::now();
    match asked {
        Asked::Restart => restart(router, control, data, sockets, deadline).await?,
        Asked::Stop => {
            tracing::info!("stopping");
            tokio::join!(router.stop(deadline), control.stop(deadline));
        }
    }
    tracing::info!(seconds = begun.elapsed().as_secs_f32(), "stopped");
    Ok(())
}

/// Hands the sockets to a successor. It serves as soon as we have let go of the data; what we have accepted we finish.
async fn restart(
    router: RunningRouter,
    control: Control,
    data: Data,
    sockets: Vec<OwnedFd>,
    deadline: Duration,
) -> anyhow::Result<()> {
    let successor = handover::start_successor(sockets)?;
    tracing::info!(successor, "restarting: the successor takes over the sockets");
    control.stop(deadline).await;
    drop(data);
    router.stop(deadline).await;
    Ok(())
}

fn announce(settings: &Settings) {
    tracing::info!(
        api = %settings.listen_api,
        http = %settings.listen_http,
        https = %settings.listen_https,
        ssh = %settings.listen_ssh,
        registry = %settings.listen_registry,
        rendezvous = %settings.listen_rendezvous,
        domain = %settings.domain,
        "ambod {} serves",
        env!("CARGO_PKG_VERSION")
    );
}
