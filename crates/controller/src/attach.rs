//! Sessions that wait for their user to attach: a secret in a URL, good once and for a minute.

use std::collections::HashMap;
use std::time::Duration;

use ambo_model::Instance;
use ambo_scheduler::{ExecSpec, RunSpec};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use rand::RngCore;
use tokio::time::Instant;

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

/// The sessions that wait.
#[derive(Debug, Default)]
pub struct AttachSessions {
    waiting: Mutex<HashMap<String, (Instant, AttachTarget)>>,
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
        waiting.insert(secret.clone(), (Instant::now(), target));
        Some(secret)
    }

    /// Takes a session by its secret, once.
    pub fn take(&self, secret: &str) -> Option<AttachTarget> {
        let (opened, target) = self.waiting.lock().remove(secret)?;
        (opened.elapsed() < ATTACH_WAIT).then_some(target)
    }
}
