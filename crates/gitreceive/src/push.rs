//! The flow of one push, from the hook's call to its verdict: judge, wait for the turn, write the archive, hand over.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ambo_model::CommitId;
use parking_lot::Mutex;
use tempfile::TempPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

use crate::app_gate::{AppGate, Holder, Turn};
use crate::git::{GitError, Quarantine};
use crate::hook_socket::CalledHook;
use crate::hook_wire::{HookCall, LINE_BYTES_MAX, MARK_EXIT, MARK_LINE};
use crate::origin::OriginFault;
use crate::port::{Caller, Push, PushRejected, Repository};
use crate::publish::{PublishFault, Published, Staged};
use crate::refs::{self, Branch, Deploy, RefsRefused};
use crate::repository::{DiskFull, RepositoryFault, branch_observe, object_kind, tree_observe};
use crate::server::Shared;

/// Most lines of the receiver's that wait to be shown.
const OUTPUT_LINES_MAX: usize = 256;
/// How many of the last lines are looked through for the reason of a rejection.
const RECENT_LINES_MAX: usize = 64;
/// How much of the archive is copied at a time.
const ARCHIVE_CHUNK_BYTES: usize = 64 << 10;

/// A push that the receiver took: it is stored, and git moves the ref.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) branch: Branch,
    pub(crate) commit: CommitId,
}

/// What the flow leaves with the session that owns it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Set before git hears of it, and before it is stored.
    pub(crate) accepted: Mutex<Option<Accepted>>,
    /// Held until git has moved the ref and ended; what is in it, if there is a bucket.
    pub(crate) published: Mutex<Option<Published>>,
    /// Held until git has moved the ref and ended.
    pub(crate) turn: Mutex<Option<Turn>>,
}

/// Why a push is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Refs(#[from] RefsRefused),
    #[error(
        "'{branch}' was pushed a {kind}, not a commit.\nUse: git push ambo '<name>^{{commit}}:refs/heads/{branch}'"
    )]
    NoCommit { branch: Branch, kind: String },
    #[error(
        "The commit {commit} holds no files: there is nothing to build.\nAdd your app's files: git add . && git commit"
    )]
    NoFiles { commit: String },
    #[error("{holder} and is still at it.\nNothing was changed: push again in a while.")]
    Busy { holder: String },
    #[error(
        "'{branch}' has moved to {now} while you waited. Nothing was changed.\nIf yours is still to be deployed, push again."
    )]
    Moved { branch: Branch, now: String },
    /// The receiver's reason, shown to the user by it.
    #[error("rejected by the receiver")]
    Shown,
    #[error("{0}")]
    Rejected(#[from] PushRejected),
    #[error("{0}")]
    TooLarge(GitError),
    #[error(transparent)]
    Disk(#[from] DiskFull),
    #[error(
        "'{branch}' was moved to {now} by another push at the same time, and yours is not kept.\nFetch first, then push again: git pull --rebase ambo {branch}"
    )]
    Overtaken { branch: Branch, now: String },
    #[error("The platform's repositories cannot be reached right now. Nothing was changed: push again in a moment.")]
    Unreachable(#[source] OriginFault),
    #[error(
        "What you pushed is released, but the platform could not move the branch, so a clone may not have it.\nPush again; if it happens again, tell the operator."
    )]
    NotStored(#[source] PublishFault),
    #[error("The platform's object store is full. Nothing was changed: ask its administrator to make space.")]
    StoreFull,
    #[error("The platform could not read what you pushed. Push again; if it happens again, tell the operator.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the hook is gone")]
    HookGone(#[source] io::Error),
}

impl From<GitError> for Refused {
    fn from(error: GitError) -> Self {
        match error {
            GitError::ArchiveTooLarge { .. } => Refused::TooLarge(error),
            GitError::Output { ref source, .. } if source.kind() == io::ErrorKind::StorageFull => DiskFull.into(),
            other => Refused::Internal(Box::new(other)),
        }
    }
}

impl From<RepositoryFault> for Refused {
    fn from(fault: RepositoryFault) -> Self {
        match fault {
            RepositoryFault::Origin(fault) => Refused::Unreachable(fault),
            RepositoryFault::Git(error) => error.into(),
            RepositoryFault::Write { ref source, .. } if source.kind() == io::ErrorKind::StorageFull => DiskFull.into(),
            fault @ RepositoryFault::Write { .. } => Refused::Internal(Box::new(fault)),
        }
    }
}

impl Refused {
    /// Why a push is not stored, before it is built.
    fn unstaged(branch: Branch, fault: PublishFault) -> Self {
        match fault {
            PublishFault::Moved { now } => Refused::Moved { branch, now: shown_commit(now.as_ref()) },
            PublishFault::Origin(OriginFault::Bucket(error)) if error.is_full() => Refused::StoreFull,
            PublishFault::Origin(fault) => Refused::Unreachable(fault),
            fault @ (PublishFault::Contended | PublishFault::Objects(_)) => Refused::Internal(Box::new(fault)),
        }
    }

    /// Why its branch did not move, after that.
    fn unpublished(branch: Branch, fault: PublishFault) -> Self {
        match fault {
            PublishFault::Moved { now } => Refused::Overtaken { branch, now: shown_commit(now.as_ref()) },
            fault @ (PublishFault::Contended | PublishFault::Objects(_) | PublishFault::Origin(_)) => {
                Refused::NotStored(fault)
            }
        }
    }

    /// What the log is to say, beyond what the user reads.
    fn fault(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Refused::Internal(error) => Some(error.as_ref()),
            Refused::Unreachable(fault) => Some(fault),
            Refused::NotStored(fault) => Some(fault),
            _ => None,
        }
    }
}

fn shown_commit(commit: Option<&CommitId>) -> String {
    commit.map_or("nothing".to_owned(), |commit| commit.short().to_owned())
}

/// The way back to the user's terminal.
#[derive(Debug)]
struct Reply {
    hook: OwnedWriteHalf,
}

impl Reply {
    async fn line(&mut self, text: &str) -> Result<(), Refused> {
        let text = text.trim_end_matches(['\n', '\r']);
        for line in text.split('\n') {
            let mut rest = line;
            loop {
                let (now, later) = rest.split_at(rest.floor_char_boundary(LINE_BYTES_MAX));
                let mut frame = Vec::with_capacity(now.len() + 2);
                frame.push(MARK_LINE);
                frame.extend_from_slice(now.as_bytes());
                frame.push(b'\n');
                self.hook.write_all(&frame).await.map_err(Refused::HookGone)?;
                if later.is_empty() {
                    break;
                }
                rest = later;
            }
        }
        Ok(())
    }

    async fn warn(&mut self, text: &str) -> Result<(), Refused> {
        for line in text.lines() {
            self.line(&format!(" !     {line}")).await?;
        }
        Ok(())
    }

    async fn exit(&mut self, code: u8) -> io::Result<()> {
        self.hook.write_all(&[MARK_EXIT]).await?;
        self.hook.write_all(format!("{code}\n").as_bytes()).await
    }
}

/// One push.
#[derive(Clone, Copy)]
pub(crate) struct PushFlow<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) gate: &'a AppGate,
    pub(crate) repository: &'a Repository,
    pub(crate) caller: Caller,
    pub(crate) outcome: &'a Outcome,
}

impl PushFlow<'_> {
    /// Answers the hook. Ends early when the hook goes.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the push: the hook sees its connection end and git rejects.
    pub(crate) async fn run(self, called: CalledHook) {
        let CalledHook { call, stream } = called;
        let (mut reader, hook) = stream.into_split();
        let mut reply = Reply { hook };
        let answer = async {
            let verdict = match self.decide(&call, &mut reply).await {
                Ok(commit) => {
                    tracing::info!(app = %self.gate.app(), %commit, "push accepted");
                    reply.exit(0).await
                }
                Err(refused) => self.refuse(&refused, &mut reply).await,
            };
            if let Err(error) = verdict {
                tracing::debug!(%error, "the hook did not hear the verdict");
            }
        };
        let hang_up = async {
            // The hook says nothing after its call: whatever comes is its end.
            let _ = reader.read(&mut [0]).await;
        };
        tokio::select! {
            () = answer => {}
            () = hang_up => tracing::info!(app = %self.gate.app(), "push cancelled: the hook is gone"),
        }
    }

    async fn refuse(self, refused: &Refused, reply: &mut Reply) -> io::Result<()> {
        let app = self.gate.app();
        match refused {
            Refused::HookGone(_) => return Ok(()),
            Refused::Shown => {}
            other => {
                if let Some(error) = other.fault() {
                    tracing::error!(%app, error, "a push could not be read or stored");
                }
                // A hook that is gone needs no reason.
                let _ = reply.warn(&other.to_string()).await;
            }
        }
        tracing::info!(%app, reason = %refused, "push rejected");
        reply.exit(1).await
    }

    async fn decide(self, call: &HookCall, reply: &mut Reply) -> Result<CommitId, Refused> {
        let deploy = refs::judge(&call.updates, call.update_count)?;
        let (repositories, app) = (&self.shared.repositories, self.gate.app());
        let path = repositories.path(app);
        let quarantine = quarantine_read(call, &path)?;
        let Deploy { branch, new: commit, .. } = &deploy;
        let git = self.shared.git();
        let kind = object_kind(git, &path, &quarantine, commit).await?;
        if kind != "commit" {
            return Err(Refused::NoCommit { branch: *branch, kind });
        }
        let tree = tree_observe(git, &path, &quarantine, commit).await?;
        if tree.empty {
            return Err(Refused::NoFiles { commit: commit.short().to_owned() });
        }
        let turn = self.turn_wait(commit, reply).await?;
        *self.outcome.turn.lock() = Some(turn);
        let now = self.branch_now(*branch).await?;
        if now != deploy.old {
            return Err(Refused::Moved { branch: *branch, now: shown_commit(now.as_ref()) });
        }
        if tree.submodules {
            let text = "Submodules (.gitmodules) are not fetched: their directories are empty in the build.";
            reply.warn(text).await?;
        }
        let archive = self.archive_write(&path, &quarantine, commit).await?;
        let push = Push { app, by: self.caller.account, commit: commit.clone(), archive: archive.to_path_buf() };
        let staged = repositories.stage(app, &deploy, &quarantine.objects).await;
        let staged = staged.map_err(|fault| Refused::unstaged(*branch, fault))?;
        if let Err(refused) = self.hand_over(push, reply).await {
            repositories.unstage(app, staged).await;
            return Err(refused);
        }
        self.publish(&deploy, staged).await?;
        Ok(deploy.new)
    }

    /// Where a branch is, after a look at whether others have moved it.
    async fn branch_now(self, branch: Branch) -> Result<Option<CommitId>, Refused> {
        let (repositories, app) = (&self.shared.repositories, self.gate.app());
        {
            let _alone = self.gate.alone().await;
            repositories.bring(app).await?;
        }
        Ok(branch_observe(self.shared.git(), &repositories.path(app), branch).await?)
    }

    /// Moves the branch where repositories are kept, for git to follow.
    async fn publish(self, deploy: &Deploy, staged: Option<Staged>) -> Result<(), Refused> {
        let Deploy { branch, new: commit, .. } = deploy;
        *self.outcome.accepted.lock() = Some(Accepted { branch: *branch, commit: commit.clone() });
        match self.shared.repositories.publish(self.gate, staged).await {
            Ok(published) => {
                *self.outcome.published.lock() = published;
                Ok(())
            }
            Err(fault) => {
                *self.outcome.accepted.lock() = None;
                Err(Refused::unpublished(*branch, fault))
            }
        }
    }

    /// Waits until no other push of the app builds, and says so.
    async fn turn_wait(self, commit: &CommitId, reply: &mut Reply) -> Result<Turn, Refused> {
        let name = self.shared.gate.account_name(self.caller.account).await;
        let name = name.unwrap_or_else(|| "Another account".to_owned());
        let holder = || Holder { name: name.clone(), commit: commit.clone(), since: Instant::now() };
        if let Some(turn) = self.gate.turn(holder, std::time::Duration::ZERO).await {
            return Ok(turn);
        }
        let wait_max = self.shared.settings.push_wait_max;
        let text = format!("{}. Waiting {} s at most.", self.busy_text(), wait_max.as_secs());
        reply.warn(&text).await?;
        match self.gate.turn(holder, wait_max).await {
            Some(turn) => Ok(turn),
            None => Err(Refused::Busy { holder: self.busy_text() }),
        }
    }

    fn busy_text(self) -> String {
        let app = &self.repository.app_name;
        match self.gate.holder() {
            Some(Holder { name, commit, since }) => {
                format!("{name} has been pushing {} to '{app}' for {} s", commit.short(), since.elapsed().as_secs())
            }
            None => format!("Another push to '{app}' has just begun"),
        }
    }

    /// Writes the commit's tree to a tar file, which is removed with the value.
    async fn archive_write(self, path: &Path, in_: &Quarantine, commit: &CommitId) -> Result<TempPath, Refused> {
        let limit = self.shared.settings.archive_size_max;
        let internal = |error: io::Error| match error.kind() {
            io::ErrorKind::StorageFull => DiskFull.into(),
            _ => Refused::Internal(Box::new(error)),
        };
        let file = tempfile::Builder::new()
            .suffix(".tar")
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(self.shared.archives_path())
            .map_err(internal)?;
        let (file, archive) = file.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let arguments = ["archive", "--format=tar", commit.as_str()];
        let mut too_large = false;
        let copied = self.shared.git().stream(path, Some(in_), &arguments, async |tar| {
            let mut chunk = vec![0; ARCHIVE_CHUNK_BYTES];
            let mut total = 0_u64;
            loop {
                let count = tar.read(&mut chunk).await?;
                if count == 0 {
                    file.flush().await?;
                    return Ok(());
                }
                total += count as u64;
                if total > limit.as_u64() {
                    too_large = true;
                    return Ok(());
                }
                file.write_all(&chunk[..count]).await?;
            }
        });
        let copied = copied.await;
        if too_large {
            // Git has died of the closed pipe, which is no news.
            return Err(GitError::ArchiveTooLarge { limit }.into());
        }
        copied?;
        Ok(archive)
    }

    /// Runs the receiver and shows its lines as they come.
    async fn hand_over(self, push: Push, reply: &mut Reply) -> Result<(), Refused> {
        let (output, mut lines) = mpsc::channel(OUTPUT_LINES_MAX);
        let mut recent = VecDeque::new();
        let mut received = self.shared.receiver.push_receive(push, output);
        let result = loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => shown(line, &mut recent, reply).await?,
                result = &mut received => break result,
            }
        };
        while let Ok(line) = lines.try_recv() {
            shown(line, &mut recent, reply).await?;
        }
        result.map_err(|PushRejected(reason)| {
            let first = reason.lines().next().unwrap_or_default();
            let seen = recent.iter().any(|line| line.contains(first));
            if seen { Refused::Shown } else { Refused::Rejected(PushRejected(reason)) }
        })
    }
}

async fn shown(line: String, recent: &mut VecDeque<String>, reply: &mut Reply) -> Result<(), Refused> {
    reply.line(&line).await?;
    if recent.len() == RECENT_LINES_MAX {
        recent.pop_front();
    }
    recent.push_back(line);
    Ok(())
}

/// Where the pushed objects are, which must be inside the app's own repository.
fn quarantine_read(call: &HookCall, repository: &Path) -> Result<Quarantine, Refused> {
    let wrong = || Refused::Internal("the hook named no quarantine of this repository".into());
    let objects = PathBuf::from(call.object_directory.as_ref().ok_or_else(wrong)?);
    if call.quarantine.is_none() || !objects.starts_with(repository.join("objects")) {
        return Err(wrong());
    }
    Ok(Quarantine { objects, alternates: call.alternate_directories.clone().unwrap_or_default() })
}
