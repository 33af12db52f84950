//! The platform's life in this process: assemble, serve, stop or hand over.

use std::path::Path;
use std::time::Duration;

use ambo_controller::chain;
use anyhow::Context;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::data::Data;
use crate::listeners::Listeners;
use crate::platform::Platform;
use crate::settings::Settings;
use crate::signals::{Asked, Signals};
use crate::{handover, notify};

/// Serves until a signal says otherwise.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("listen for signals")?;
    let listeners = Listeners::open(&settings, worker_count(&settings))?;
    let data = Data::take(Path::new(&settings.data), handover::is_successor()).await?;
    let duplicates = listeners.try_clone()?;
    let platform = Platform::assemble(&settings, &data, listeners).await?;
    platform.controller.recover().await.map_err(|error| anyhow::anyhow!("{}", chain(&error)))?;

    let accepting = CancellationToken::new();
    let mut roles = JoinSet::new();
    let router = platform.start(&mut roles, &accepting)?;
    announce(&settings);
    notify::ready();

    let asked = loop {
        tokio::select! {
            asked = signals.next() => break asked,
            Some(ended) = roles.join_next() => {
                anyhow::bail!("a role of the platform has ended by itself: {ended:?}");
            }
        }
    };
    notify::stopping();
    let deadline = Duration::from_secs(u64::from(settings.shutdown_seconds));
    let begun = tokio::time::Instant::now();
    if asked == Asked::Restart {
        let successor = handover::start_successor(duplicates.into_descriptors())?;
        tracing::info!(successor, "restarting: the successor takes over the sockets");
        platform.stop_control(&accepting, &mut roles, deadline).await;
        drop(data); // The successor serves from here on; what we have accepted we finish.
        router.stop(deadline.saturating_sub(begun.elapsed())).await;
    } else {
        tracing::info!("stopping");
        tokio::join!(
            router.stop(deadline),
            platform.stop_control(&accepting, &mut roles, deadline)
        );
        drop(data);
    }
    tracing::info!(seconds = begun.elapsed().as_secs_f32(), "stopped");
    Ok(())
}

fn worker_count(settings: &Settings) -> usize {
    match settings.router_workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count as usize,
    }
}

fn announce(settings: &Settings) {
    tracing::info!(
        api = %settings.listen_api,
        http = %settings.listen_http,
        https = %settings.listen_https,
        ssh = %settings.listen_ssh,
        registry = %settings.listen_registry,
        domain = %settings.domain,
        "ambod {} serves",
        env!("CARGO_PKG_VERSION")
    );
}
