//! One conversation with git, whatever carries it: its process, its bytes, its end.

use std::io;
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app_gate::{AppGate, Closed, Entry};
use crate::git::GitError;
use crate::hook_socket::AwaitedCall;
use crate::hook_wire::{SECRET_VARIABLE, SOCKET_VARIABLE};
use crate::port::{Caller, Repository};
use crate::publish::Published;
use crate::push::{Accepted, Outcome, PushFlow};
use crate::repository::{DiskFull, RepositoryFault, branch_follow, branch_observe, leftovers_remove, space_check};
use crate::server::Shared;
use crate::service::Service;

/// How many chunks of git's output wait for the client.
const OUTPUT_CHUNKS_MAX: usize = 8;
/// Largest chunk of git's output.
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// How long an accepted push may take to be stored, and then git to move its ref, when the client has left.
const ACCEPTED_GRACE: Duration = Duration::from_secs(10);
/// How long a client may go on sending after git has ended, so that it hears the answer rather than a broken pipe.
const DISCARD_DURATION_MAX: Duration = Duration::from_secs(10);

/// How much of the conversation a session carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// HTTP's first request: git says what it has.
    Advertisement,
    /// HTTP's second request.
    Stateless,
    /// All of it.
    Whole,
}

/// Who wants what.
#[derive(Debug, Clone)]
pub(crate) struct SessionRequest {
    pub(crate) service: Service,
    pub(crate) exchange: Exchange,
    pub(crate) repository: Repository,
    pub(crate) caller: Caller,
    /// What the client says in `GIT_PROTOCOL`.
    pub(crate) protocol: Option<String>,
}

/// What the client sends.
pub(crate) type Input = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What git says.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
}

/// What a client reads whose repository cannot be fetched.
pub(crate) const UNREACHABLE: &str = "the platform's repositories cannot be reached right now: try again in a moment";

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Git ended by itself.
    Exit(u32),
    /// The session was ended: nobody listens, or nobody may.
    Cancelled,
    /// The repository could not be fetched from where it is kept. Logged.
    Unreachable,
    /// Git could not be started or read. Logged.
    Failed,
}

/// No session now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SessionRefused {
    #[error("the platform is shutting down: try again in a moment")]
    Draining,
    #[error("the platform serves as many git sessions as it may: try again in a moment")]
    Full,
    #[error(transparent)]
    Disk(#[from] DiskFull),
}

/// A session under way. Dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) output: mpsc::Receiver<Output>,
    pub(crate) ended: JoinHandle<Ended>,
}

/// Why a session failed.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("the app has been removed")]
    Removed,
    #[error(transparent)]
    Repository(#[from] RepositoryFault),
    #[error(transparent)]
    Command(#[from] GitError),
    #[error("git could not be talked to")]
    Git(#[from] io::Error),
}

impl From<Closed> for SessionError {
    fn from(_: Closed) -> Self {
        SessionError::Removed
    }
}

/// Starts a session. It ends with git, or when `client_left` is cancelled, or when its output is dropped.
pub(crate) fn session_start(
    shared: &Arc<Shared>,
    request: SessionRequest,
    input: Input,
    client_left: CancellationToken,
) -> Result<Session, SessionRefused> {
    if shared.draining.is_cancelled() {
        return Err(SessionRefused::Draining);
    }
    if request.service == Service::ReceivePack {
        space_check(&shared.settings.repositories)?;
    }
    let place = Arc::clone(&shared.places).try_acquire_owned().map_err(|_| SessionRefused::Full)?;
    let (sender, output) = mpsc::channel(OUTPUT_CHUNKS_MAX);
    let gate = shared.repositories.gate(request.repository.app);
    let running = Running {
        shared: Arc::clone(shared),
        gate,
        request,
        output: sender,
        client_left,
        moved: Mutex::new(Instant::now()),
        ending: CancellationToken::new(),
    };
    let ended = shared.sessions.spawn(running.run(input, place));
    Ok(Session { output, ended })
}

struct Running {
    shared: Arc<Shared>,
    gate: Arc<AppGate>,
    request: SessionRequest,
    output: mpsc::Sender<Output>,
    client_left: CancellationToken,
    /// When the last byte moved.
    moved: Mutex<Instant>,
    /// The client gets nothing more.
    ending: CancellationToken,
}

impl Running {
    async fn run(self, input: Input, _place: OwnedSemaphorePermit) -> Ended {
        let app = self.gate.app();
        let ended = tokio::select! {
            entry = self.enter() => match entry {
                Ok(entry) => self.converse(input, entry).await,
                Err(SessionError::Removed) => Ok(Ended::Cancelled),
                Err(error) => Err(error),
            },
            // A client that waits for its repository to be fetched is silent, and not gone.
            () = self.abandoned() => {
                self.gate.soil();
                Ok(Ended::Cancelled)
            }
        };
        self.gate.sweep_if_dirty(leftovers_remove(&self.shared.repositories.path(app))).await;
        ended.unwrap_or_else(|fault| {
            let error: &dyn std::error::Error = &fault;
            tracing::error!(%app, error, "a git session failed");
            match fault {
                SessionError::Repository(RepositoryFault::Origin(_)) => Ended::Unreachable,
                SessionError::Removed
                | SessionError::Repository(_)
                | SessionError::Command(_)
                | SessionError::Git(_) => Ended::Failed,
            }
        })
    }

    /// Takes a place at the app's repository, brings it up to date, and cleans up after a killed push.
    async fn enter(&self) -> Result<Entry, SessionError> {
        let (repositories, app) = (&self.shared.repositories, self.gate.app());
        let path = repositories.path(app);
        let ensure = async { Ok::<(), SessionError>(repositories.bring(app).await?) };
        let sweep = leftovers_remove(&path);
        if self.pushes() {
            self.gate.enter_to_push(ensure, sweep).await
        } else {
            let is_current = repositories.is_current(app).await?;
            self.gate.enter_to_read((!is_current).then_some((ensure, sweep))).await
        }
    }

    /// Whether this session may move refs.
    fn pushes(&self) -> bool {
        self.request.service == Service::ReceivePack && self.request.exchange != Exchange::Advertisement
    }

    /// Ends when the session must: the client left or stalls, the app or the server goes.
    async fn cancelled(&self) {
        tokio::select! {
            () = self.abandoned() => {}
            () = self.stalled() => tracing::info!(app = %self.gate.app(), "a git session stalled and is ended"),
        }
    }

    async fn abandoned(&self) {
        tokio::select! {
            () = self.client_left.cancelled() => {}
            () = self.output.closed() => {}
            () = self.gate.removed().cancelled() => {}
            () = self.shared.stopped.cancelled() => {}
        }
    }

    async fn stalled(&self) {
        let idle_max = self.shared.settings.idle_max;
        loop {
            let end = *self.moved.lock() + idle_max;
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }

    async fn converse(&self, input: Input, entry: Entry) -> Result<Ended, SessionError> {
        *self.moved.lock() = Instant::now();
        let mut awaited = if self.pushes() { Some(self.shared.calls.expect_call()?) } else { None };
        let child = self.spawn(awaited.as_ref())?;
        let outcome = Outcome::default();
        let flow = self.flow(awaited.as_mut(), &outcome);
        let ended = self.pump(child, input, flow, &outcome).await;
        let (accepted, published) = (outcome.accepted.lock().take(), outcome.published.lock().take());
        if let Some(accepted) = accepted {
            self.follow(&accepted, published.as_ref()).await;
        }
        let pack_count = published.map_or(0, |published| published.manifest.packs.len());
        drop(outcome);
        if self.pushes() && !matches!(ended, Ok(Ended::Exit(_))) {
            self.gate.soil();
        }
        drop(entry);
        if pack_count >= self.shared.settings.packs_max {
            self.repack_start();
        }
        Ok(ended?)
    }

    /// Makes one pack of many in the bucket. Not the client's to wait for.
    fn repack_start(&self) {
        let (shared, app) = (Arc::clone(&self.shared), self.gate.app());
        self.shared.sessions.spawn(async move {
            let repacked = tokio::select! {
                repacked = shared.repositories.repack_if_many(app) => repacked,
                () = shared.draining.cancelled() => return,
                () = shared.stopped.cancelled() => return,
            };
            if let Err(error) = repacked {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%app, error, "the packs of a repository stay many");
            }
        });
    }

    fn spawn(&self, awaited: Option<&AwaitedCall>) -> io::Result<Child> {
        let mut command = self.shared.git().command();
        command.arg(self.request.service.command());
        match self.request.exchange {
            Exchange::Advertisement => command.args(["--stateless-rpc", "--advertise-refs"]),
            Exchange::Stateless => command.arg("--stateless-rpc"),
            Exchange::Whole => &mut command,
        };
        let path = self.shared.repositories.path(self.gate.app());
        command.arg(&path).current_dir(&path);
        if let Some(protocol) = &self.request.protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        if let Some(awaited) = awaited {
            command.env(SOCKET_VARIABLE, self.shared.socket_path()).env(SECRET_VARIABLE, &awaited.secret);
        }
        // A group of its own, so that git's children and the hook end with it.
        command.process_group(0).stdin(Stdio::piped());
        command.spawn()
    }

    /// Waits for the hook's call and answers it; for ever if none is to come.
    async fn flow(&self, awaited: Option<&mut AwaitedCall>, outcome: &Outcome) {
        let Some(awaited) = awaited else { return std::future::pending().await };
        let Ok(called) = (&mut awaited.called).await else { return std::future::pending().await };
        let flow = PushFlow {
            shared: &self.shared,
            gate: &self.gate,
            repository: &self.request.repository,
            caller: self.request.caller,
            outcome,
        };
        flow.run(called).await;
    }

    /// Carries bytes until git ends, or ends git.
    async fn pump(
        &self,
        mut child: Child,
        input: Input,
        flow: impl Future<Output = ()>,
        outcome: &Outcome,
    ) -> io::Result<Ended> {
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let no_pipe = || io::Error::other("git has no pipes");
        let stdin = child.stdin.take().ok_or_else(no_pipe)?;
        let stdout = child.stdout.take().ok_or_else(no_pipe)?;
        let stderr = child.stderr.take().ok_or_else(no_pipe)?;
        let mut git_end = pin!(async {
            let out = self.drain(stdout, Output::Stdout);
            let err = self.drain(stderr, Output::Stderr);
            let (status, (), ()) = tokio::join!(child.wait(), out, err);
            status
        });
        let mut feed = pin!(self.feed(input, stdin));
        let mut fed = false;
        {
            let mut flow = pin!(flow);
            let mut flowed = false;
            loop {
                tokio::select! {
                    status = &mut git_end => {
                        if !fed && !self.output.is_closed() {
                            let _ = tokio::time::timeout(DISCARD_DURATION_MAX, &mut feed).await;
                        }
                        return Ok(Ended::Exit(exit_code(status?)));
                    }
                    all = &mut feed, if !fed => match all {
                        Ok(()) => fed = true,
                        Err(error) => {
                            tracing::debug!(%error, "the client left while it was sending");
                            break;
                        }
                    },
                    () = &mut flow, if !flowed => flowed = true,
                    () = self.cancelled() => break,
                }
            }
            if !flowed && outcome.accepted.lock().is_some() {
                let _ = tokio::time::timeout(ACCEPTED_GRACE, &mut flow).await;
            }
        }
        self.ending.cancel();
        // From here on the flow is dropped: the receiver's future with it, and the hook sees its connection end.
        if outcome.accepted.lock().is_some() && tokio::time::timeout(ACCEPTED_GRACE, &mut git_end).await.is_ok() {
            return Ok(Ended::Cancelled);
        }
        tracing::info!(app = %self.gate.app(), service = self.request.service.name(), "git session cancelled");
        signal(group, Signal::TERM);
        if tokio::time::timeout(self.shared.settings.stop_grace, &mut git_end).await.is_err() {
            signal(group, Signal::KILL);
            git_end.await?;
        }
        Ok(Ended::Cancelled)
    }

    /// Hands the client's bytes to git. When git wants no more, the rest is read and dropped: its answer tells why.
    async fn feed(&self, mut input: Input, stdin: ChildStdin) -> io::Result<()> {
        let mut stdin = Some(stdin);
        while let Some(chunk) = input.next().await {
            let chunk = chunk?;
            *self.moved.lock() = Instant::now();
            if let Some(git) = &mut stdin
                && git.write_all(&chunk).await.is_err()
            {
                stdin = None;
            }
        }
        Ok(())
    }

    /// Hands git's bytes to the client. When the client wants no more, the rest is read and dropped, so that git can end.
    async fn drain(&self, mut from: impl AsyncRead + Unpin, wrap: impl Fn(Bytes) -> Output) {
        let mut chunk = bytes::BytesMut::new();
        loop {
            chunk.reserve(CHUNK_BYTES_MAX);
            match from.read_buf(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let chunk = chunk.split().freeze();
            tokio::select! {
                sent = self.output.send(wrap(chunk)) => if sent.is_ok() {
                    *self.moved.lock() = Instant::now();
                },
                () = self.ending.cancelled() => {}
            }
        }
    }

    /// After git moved the ref: a clone gets what was pushed, and nothing of the other branch's past.
    async fn follow(&self, accepted: &Accepted, published: Option<&Published>) {
        let (repositories, app) = (&self.shared.repositories, self.gate.app());
        let (git, path) = (self.shared.git(), repositories.path(app));
        let followed = async {
            if branch_observe(git, &path, accepted.branch).await?.as_ref() == Some(&accepted.commit) {
                branch_follow(git, &path, accepted.branch).await?;
                if let Some(published) = published {
                    repositories.published_note(app, published).await?;
                }
            } else {
                tracing::error!(%app, commit = %accepted.commit, "git did not move the ref of a release");
            }
            Ok::<(), SessionError>(())
        };
        if let Err(error) = followed.await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(%app, error, "HEAD does not follow the pushed branch");
        }
    }
}

/// Tells git and all that it started.
fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group
        && let Err(error) = kill_process_group(group, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, "git could not be signalled");
    }
}

fn exit_code(status: ExitStatus) -> u32 {
    status.code().map_or(128, i32::cast_unsigned)
}
