//! A keeper: it makes its node's components be there, and says to Swarm whether they are well.
//!
//! Swarm starts one on every node (`ambo_operator::install`). The first round must succeed: otherwise the process ends with an
//! error, and an upgrade that brought it is taken back. Later faults are waited out, and told by [`healthy`].

mod enrolment;
mod membership;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ambo_engine_docker::Engine;
use ambo_model::Timestamp;
use ambo_operator::install::{BUNDLE_FILE, keeper_paths};
use ambo_operator::{Bundle, Keeper, KeeperSettings, files};
use anyhow::{Context, bail};

use self::enrolment::ByManagers;
use self::membership::OfEtcd;
use crate::one_machine::engine_settings;
use crate::settings::Settings;
use crate::signals::Signals;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(3);
/// A word of a round that was good is good for so long.
const WORD_DURATION_MAX: Duration = Duration::from_secs(60);
/// Where that word is.
const WORD: &str = "/tmp/well";

/// Keeps until a signal says otherwise.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("listen for signals")?;
    let keeper = keeper(&settings)?;
    tokio::select! {
        ended = keep(&keeper, settings.keeper_mode == "stop") => ended,
        // The components go on.
        _ = signals.next() => Ok(()),
    }
}

fn keeper(settings: &Settings) -> anyhow::Result<Keeper> {
    let bundle = std::fs::read(BUNDLE_FILE).with_context(|| {
        format!("read {BUNDLE_FILE}: keepers are started by Swarm, which `ambo platform install` tells to")
    })?;
    let mut bundle: Bundle = serde_json::from_slice(&bundle).with_context(|| format!("read {BUNDLE_FILE}"))?;
    if !settings.keeper_dns.is_empty() {
        bundle.spec_mut().dns = settings.keeper_dns.parse().context("`keeper-dns` is true or false")?;
    }
    let (data, run) = keeper_paths();
    Ok(Keeper::new(KeeperSettings {
        engine: Engine::connect(engine_settings(settings)?)?,
        enrolment: Box::new(ByManagers::of(&bundle)),
        membership: Box::new(OfEtcd),
        bundle,
        image: settings.keeper_image.clone(),
        files: files::Files::at(data),
        run: PathBuf::from(run),
    }))
}

async fn keep(keeper: &Keeper, is_stop: bool) -> anyhow::Result<()> {
    let round = async || if is_stop { keeper.stop_all().await } else { keeper.round().await };
    round().await.context("bring this node's components up")?;
    tracing::info!("all components of this node are as they should be");
    loop {
        word_give()?;
        tokio::time::sleep(PAUSE).await;
        while let Err(error) = round().await {
            tracing::error!(error = %crate::message(&error.into()), "this node is not well");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn word_give() -> anyhow::Result<()> {
    std::fs::write(WORD, "").with_context(|| format!("write {WORD}"))
}

/// Whether the keeper that runs beside says that all is well.
pub(crate) fn healthy() -> anyhow::Result<()> {
    let given = std::fs::metadata(Path::new(WORD)).and_then(|word| word.modified());
    let given = given.context("the components of this node are not up yet")?;
    if SystemTime::from(Timestamp::now()).duration_since(given).is_ok_and(|age| age > WORD_DURATION_MAX) {
        bail!("the components of this node are not well");
    }
    Ok(())
}
