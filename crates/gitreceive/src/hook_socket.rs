//! Where hooks call: matches a call's secret to the push that waits for it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::TryRngCore;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::hook_wire::{CALL_BYTES_MAX, HookCall};

/// Longest path of a Unix socket on Linux, without the final zero.
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = 107;
/// How long a hook may take to say what it wants.
const CALL_DURATION_MAX: Duration = Duration::from_secs(10);
/// Most hooks whose call is being read.
const CALLS_MAX: usize = 256;
/// How long to wait after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A hook that has called and waits for the verdict.
#[derive(Debug)]
pub(crate) struct CalledHook {
    pub(crate) call: HookCall,
    pub(crate) stream: UnixStream,
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<CalledHook>>>>;

/// The pushes that wait for their hook's call.
#[derive(Debug, Default, Clone)]
pub(crate) struct HookCalls {
    waiting: Waiting,
}

/// A push's place among them; dropping it forgets the secret.
#[derive(Debug)]
pub(crate) struct AwaitedCall {
    waiting: Waiting,
    pub(crate) secret: String,
    pub(crate) called: oneshot::Receiver<CalledHook>,
}

impl Drop for AwaitedCall {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.secret);
    }
}

impl HookCalls {
    /// Makes a secret that is good for one call.
    pub(crate) fn expect_call(&self) -> io::Result<AwaitedCall> {
        let mut bytes = [0_u8; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
        let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let (sender, called) = oneshot::channel();
        self.waiting.lock().insert(secret.clone(), sender);
        Ok(AwaitedCall { waiting: Arc::clone(&self.waiting), secret, called })
    }

    fn deliver(&self, call: HookCall, stream: UnixStream) {
        let Some(waiting) = self.waiting.lock().remove(&call.secret) else {
            tracing::warn!("a hook called with a secret that no push waits for");
            return;
        };
        // A push that has ended meanwhile drops the stream, which ends the hook.
        let _ = waiting.send(CalledHook { call, stream });
    }
}

/// The listening socket. Removed with this value.
#[derive(Debug)]
pub(crate) struct HookSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for HookSocket {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl HookSocket {
    /// Listens at `path`, in a directory that only we may enter.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { listener: UnixListener::bind(path)?, path: path.to_owned() })
    }

    /// Takes calls until dropped.
    pub(crate) async fn run(&self, calls: &HookCalls) {
        let mut reading = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if reading.len() < CALLS_MAX => match accepted {
                    Ok((stream, _)) => {
                        let calls = calls.clone();
                        reading.spawn(async move {
                            match tokio::time::timeout(CALL_DURATION_MAX, call_read(stream)).await {
                                Ok(Ok((call, stream))) => calls.deliver(call, stream),
                                Ok(Err(error)) => tracing::warn!(%error, "a hook's call could not be read"),
                                Err(_) => tracing::warn!("a hook called and said nothing"),
                            }
                        });
                    }
                    Err(error) => {
                        tracing::error!(%error, "the hook socket does not accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = reading.join_next() => {}
            }
        }
    }
}

/// Reads the one line. The hook says nothing more, so nothing is lost with the buffer.
async fn call_read(mut stream: UnixStream) -> io::Result<(HookCall, UnixStream)> {
    let mut line = String::new();
    BufReader::new((&mut stream).take(CALL_BYTES_MAX)).read_line(&mut line).await?;
    Ok((serde_json::from_str(&line)?, stream))
}
