//! A node's router: it takes its sockets from the agent, its table and certificates from the leader, and keeps both on disk,
//! so that it serves when nobody leads and when it is started anew.

mod certificates;
mod counts;
mod dial;
mod follow;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambo_link::routing::Backlog;
use ambo_metrics::RequestCounts;
use ambo_router::{Listeners, LogLines, Router, RouterSettings};
use anyhow::{Context, bail};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use self::follow::Followed;
use super::meeting::{self, Meeting};
use super::sockets;
use crate::metrics::CountedLines;
use crate::notify;
use crate::running::RunningRouter;
use crate::settings::Settings;
use crate::signals::Signals;

/// Pause before the agent is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until a signal says otherwise.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("listen for signals")?;
    let (meeting, data) = (Meeting::at(&settings.run), Path::new(&settings.data));
    std::fs::create_dir_all(data).map_err(|error| crate::data::unusable(data, error))?;
    let listeners = tokio::select! {
        listeners = sockets_take(&meeting) => listeners,
        _ = signals.next() => return Ok(()),
    };
    let copies = listeners.try_clone().context("copy the sockets")?;
    let backlog = Arc::new(Backlog::default());
    let counts = Arc::new(RequestCounts::default());
    let router = router(&settings, listeners, backlog.clone(), counts.clone());
    let followed = Followed::new(router.handle(), data.join("certificates.json"));
    followed.certificates_load();
    let mut parts = JoinSet::new();
    parts.spawn(dial::serve(meeting::listen(&meeting.dial())?));
    parts.spawn(counts::serve(meeting::listen(&meeting.counts())?, router.handle(), counts));
    parts.spawn(follow::follow_leader(meeting.leader(), Arc::new(followed), backlog));
    let keeping = tokio::spawn(sockets_keep(meeting, copies));
    let mut router = RunningRouter::start(router);
    tracing::info!("router of node {} serves", settings.node);
    notify::ready();
    tokio::select! {
        _ = signals.next() => tracing::info!("stopping"),
        () = router.ended() => bail!("the router has ended by itself"),
        ended = parts.join_next() => bail!("a part of the router has ended by itself: {ended:?}"),
    }
    notify::stopping();
    // The copies go first: where nobody else has them, the port is closed rather than deaf.
    keeping.abort();
    let _ = keeping.await;
    router.stop(Duration::from_secs(u64::from(settings.shutdown_seconds))).await;
    parts.shutdown().await;
    Ok(())
}

fn router(settings: &Settings, listeners: Listeners, backlog: Arc<Backlog>, counts: Arc<RequestCounts>) -> Router {
    let router_settings = RouterSettings {
        worker_count: listeners.http.len(),
        first_byte_timeout: Duration::from_secs(u64::from(settings.response_seconds.max(1))),
        drain_deadline: Duration::from_secs(u64::from(settings.shutdown_seconds)),
        table_path: Some(Path::new(&settings.data).join("routes.json")),
        ..RouterSettings::default()
    };
    let lines = LogLines(Arc::new(move |line| backlog.add(line)));
    let access = Arc::new(CountedLines { lines, counts });
    Router::with_listeners(router_settings, listeners, access, None)
}

/// Takes the sockets from the agent, once it is there.
async fn sockets_take(meeting: &Meeting) -> Listeners {
    loop {
        let taken = async {
            let agent = UnixStream::connect(meeting.sockets()).await?;
            sockets::send(&agent, &Listeners::default()).await?;
            sockets::receive(&agent).await
        };
        match taken.await {
            Ok(listeners) if !listeners.http.is_empty() => return listeners,
            Ok(_) => tracing::warn!("the agent has no sockets"),
            Err(error) => tracing::info!(%error, "waiting for the agent's sockets"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sees to it that every agent to come gets the sockets from us rather than bind its own. Runs for as long as it is polled.
async fn sockets_keep(meeting: Meeting, copies: Listeners) {
    loop {
        let held = async {
            let agent = UnixStream::connect(meeting.sockets()).await?;
            sockets::send(&agent, &copies).await?;
            // Nothing is ever said here: it ends with the agent.
            agent.readable().await
        };
        let _ = held.await;
        tokio::time::sleep(PAUSE).await;
    }
}
