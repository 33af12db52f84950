//! Sessions that wait for their user to attach: a secret in a URL, good once and for a minute, at whatever door.

use std::collections::HashMap;
use std::time::Duration;

use ambo_model::Instance;
use ambo_scheduler::{Attached, ExecSpec, RunSpec};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use rand::RngCore;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::controller::Controller;
use crate::error::ControllerError;

/// How long a session waits.
pub const ATTACH_WAIT: Duration = Duration::from_secs(60);
/// Most sessions that wait.
const SESSIONS_MAX: usize = 1000;

/// What starts when the user attaches.
#[derive(Debug)]
pub enum AttachTarget {
    /// A one-off.
    Run(Box<RunSpec>),
    /// A program in a running instance.
    Exec(Box<Instance>, ExecSpec),
}

impl AttachTarget {
    /// Whether the program is given a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        match self {
            Self::Run(run) => run.terminal.is_some(),
            Self::Exec(_, exec) => exec.terminal.is_some(),
        }
    }
}

/// The sessions that wait.
#[derive(Debug, Default)]
pub struct AttachSessions {
    waiting: Mutex<HashMap<SecretDigest, (Instant, AttachTarget)>>,
}

/// Secrets are looked up by their digest: how long that takes says nothing about the secrets that are there.
type SecretDigest = [u8; 32];

fn digest(secret: &str) -> SecretDigest {
    Sha256::digest(secret).into()
}

impl AttachSessions {
    /// Adds a session; gives its secret. `None` when too many wait.
    pub fn open(&self, target: AttachTarget) -> Option<String> {
        let mut secret = [0_u8; 32];
        rand::rng().fill_bytes(&mut secret);
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, (opened, _)| opened.elapsed() < ATTACH_WAIT);
        if waiting.len() >= SESSIONS_MAX {
            return None;
        }
        waiting.insert(digest(&secret), (Instant::now(), target));
        Some(secret)
    }

    /// Takes a session by its secret, once.
    pub fn take(&self, secret: &str) -> Option<AttachTarget> {
        let (opened, target) = self.waiting.lock().remove(&digest(secret))?;
        (opened.elapsed() < ATTACH_WAIT).then_some(target)
    }
}

impl Controller {
    /// Starts what somebody has attached to.
    ///
    /// # Errors
    /// When the engine cannot start it, or the instance has gone.
    pub async fn attach_start(&self, target: AttachTarget) -> Result<Attached, ControllerError> {
        match target {
            AttachTarget::Run(run) => self.run_start(*run).await,
            AttachTarget::Exec(instance, exec) => self.exec_start(&instance, exec).await,
        }
    }
}
