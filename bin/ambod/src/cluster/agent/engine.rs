//! The node's engine, for controllers.

use std::path::PathBuf;

use ambo_engine_docker::EngineAddress;
use ambo_link::{Accepted, Refusal};
use anyhow::bail;
use tokio::net::UnixStream;

use crate::one_machine::engine_settings;
use crate::settings::Settings;

/// Passes streams of controllers to the engine's socket.
#[derive(Debug)]
pub(super) struct EngineService(PathBuf);

impl EngineService {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        match engine_settings(settings)?.socket {
            EngineAddress::Unix(path) => Ok(Self(path)),
            EngineAddress::Tcp(address) => {
                bail!("an agent needs its node's own engine: give a socket's path as `engine`, not {address}")
            }
        }
    }

    pub(super) async fn serve(&self, accepted: Accepted) {
        let mut engine = match UnixStream::connect(&self.0).await {
            Ok(engine) => engine,
            Err(error) => {
                let reason = format!("the node's engine does not answer at {}: {error}", self.0.display());
                return accepted.refuse(Refusal::Unavailable { reason }).await;
            }
        };
        if let Ok(mut stream) = accepted.take().await {
            // Either end may break it at any time.
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut engine).await;
        }
    }
}
