//! The system's git, started with a list of arguments in an environment of our own.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use ambo_model::ByteSize;
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout, Command};

use crate::settings::GitSettings;

/// How long a short command may take.
const COMMAND_DURATION_MAX: Duration = Duration::from_secs(60);
/// How long a garbage collection may take.
pub(crate) const MAINTENANCE_DURATION_MAX: Duration = Duration::from_secs(600);
/// Most output that is read of a short command.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
/// Most of a command's complaint that an error shows.
const COMPLAINT_BYTES_MAX: u64 = 2048;

/// Faults of old commits that git would refuse today and that do no harm here.
const OLD_FAULTS: [&str; 8] = [
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "missingNameBeforeEmail",
    "zeroPaddedFilemode",
    "zeroPaddedDate",
    "badTimezone",
    "missingEmail",
    "multipleAuthors",
];

/// Why a git command gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("`git {command}` did not start: install git, or set its path")]
    Start { command: String, source: io::Error },
    #[error("`git {command}` took longer than {} s", limit.as_secs())]
    TooSlow { command: String, limit: Duration },
    #[error("`git {command}` failed: {complaint}")]
    Failed { command: String, complaint: String },
    #[error("the output of `git {command}` could not be read")]
    Output { command: String, source: io::Error },
    #[error("the source unpacks to more than {limit}: push less, or raise the limit")]
    ArchiveTooLarge { limit: ByteSize },
}

/// Where a push's objects are before git accepts them.
#[derive(Debug, Clone)]
pub(crate) struct Quarantine {
    /// `GIT_OBJECT_DIRECTORY`.
    pub(crate) objects: PathBuf,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`.
    pub(crate) alternates: String,
}

/// Starts git.
#[derive(Debug)]
pub(crate) struct Git {
    program: PathBuf,
    home: PathBuf,
    options: Vec<String>,
}

impl Git {
    pub(crate) fn new(settings: &GitSettings, hooks: &Path) -> Self {
        let mut options = vec![
            "safe.directory=*".to_owned(),
            format!("core.hooksPath={}", hooks.display()),
            // A claim of success in the user's terminal follows the write to the disk, refs included.
            "core.fsync=committed".to_owned(),
            "gc.auto=0".to_owned(),
            "maintenance.auto=false".to_owned(),
            "receive.autogc=false".to_owned(),
            "receive.denyDeletes=true".to_owned(),
            "receive.denyNonFastForwards=false".to_owned(),
            // One pack per push: one file to write through to the disk, one file to remove after a kill.
            "receive.unpackLimit=1".to_owned(),
            format!("receive.maxInputSize={}", settings.push_size_max.as_u64()),
            format!("receive.keepAlive={}", settings.keep_alive.as_secs().max(1)),
            format!("uploadpack.keepAlive={}", settings.keep_alive.as_secs().max(1)),
            "uploadpack.allowFilter=true".to_owned(),
            "receive.fsckObjects=true".to_owned(),
            // The usual bits of a checkout, whatever the mask of the server.
            "tar.umask=0022".to_owned(),
        ];
        options.extend(OLD_FAULTS.map(|fault| format!("receive.fsck.{fault}=ignore")));
        Self { program: settings.git.clone(), home: settings.run.clone(), options }
    }

    /// A command that knows nothing of the environment we run in: neither variables nor files of git's settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear();
        command.env("HOME", &self.home).env("LC_ALL", "C.UTF-8");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
        for name in ["PATH", "TMPDIR", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for option in &self.options {
            command.arg("-c").arg(option);
        }
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a short command in a repository and gives its output.
    pub(crate) async fn output(
        &self,
        repository: &Path,
        quarantine: Option<&Quarantine>,
        arguments: &[&str],
    ) -> Result<String, GitError> {
        self.output_within(COMMAND_DURATION_MAX, repository, quarantine, arguments).await
    }

    /// The same with a limit of time of the caller's.
    pub(crate) async fn output_within(
        &self,
        limit: Duration,
        repository: &Path,
        quarantine: Option<&Quarantine>,
        arguments: &[&str],
    ) -> Result<String, GitError> {
        let mut output = Vec::new();
        let run = self.stream(repository, quarantine, arguments, async |stdout| {
            stdout.take(OUTPUT_BYTES_MAX).read_to_end(&mut output).await.map(|_| ())
        });
        let named = || arguments.join(" ");
        tokio::time::timeout(limit, run).await.map_err(|_| GitError::TooSlow { command: named(), limit })??;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Runs a command in a repository and hands its output to `take` as it comes.
    ///
    /// # Cancel safety
    /// Dropping the future kills the command.
    pub(crate) async fn stream<T>(
        &self,
        repository: &Path,
        quarantine: Option<&Quarantine>,
        arguments: &[&str],
        take: impl AsyncFnOnce(&mut ChildStdout) -> io::Result<T>,
    ) -> Result<T, GitError> {
        let command = self.command_in(repository, quarantine, arguments);
        self.talk(command, arguments, async |_, stdout| take(stdout).await).await
    }

    /// Runs a command in a repository, hands it `input` and gives its output.
    ///
    /// # Cancel safety
    /// Dropping the future kills the command.
    pub(crate) async fn feed(
        &self,
        limit: Duration,
        repository: &Path,
        arguments: &[&str],
        input: impl Stream<Item = io::Result<Bytes>>,
    ) -> Result<String, GitError> {
        let mut command = self.command_in(repository, None, arguments);
        command.stdin(Stdio::piped());
        let run = self.talk(command, arguments, async |stdin, stdout| {
            let mut output = Vec::new();
            let read = async { (&mut *stdout).take(OUTPUT_BYTES_MAX).read_to_end(&mut output).await };
            tokio::try_join!(write_all(stdin, input), read)?;
            Ok(String::from_utf8_lossy(&output).into_owned())
        });
        let named = || arguments.join(" ");
        tokio::time::timeout(limit, run).await.map_err(|_| GitError::TooSlow { command: named(), limit })?
    }

    fn command_in(&self, repository: &Path, quarantine: Option<&Quarantine>, arguments: &[&str]) -> Command {
        let mut command = self.command();
        command.arg("--git-dir").arg(repository).args(arguments).current_dir(&self.home);
        if let Some(quarantine) = quarantine {
            command.env("GIT_OBJECT_DIRECTORY", &quarantine.objects);
            command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &quarantine.alternates);
        }
        command
    }

    async fn talk<T>(
        &self,
        mut command: Command,
        arguments: &[&str],
        talk: impl AsyncFnOnce(Option<ChildStdin>, &mut ChildStdout) -> io::Result<T>,
    ) -> Result<T, GitError> {
        let named = || arguments.join(" ");
        let output_failed = |source| GitError::Output { command: named(), source };
        let mut child = command.spawn().map_err(|source| GitError::Start { command: named(), source })?;
        let stdin = child.stdin.take();
        let (Some(mut stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(output_failed(io::Error::other("no pipes")));
        };
        let complaint = complaint_read(stderr);
        let (taken, complaint) = tokio::join!(
            async {
                let taken = talk(stdin, &mut stdout).await;
                drop(stdout);
                taken
            },
            complaint
        );
        let taken = taken.map_err(output_failed)?;
        let status = child.wait().await.map_err(output_failed)?;
        if status.success() { Ok(taken) } else { Err(GitError::Failed { command: named(), complaint }) }
    }
}

/// Hands `input` to a command. One that wants no more of it says why itself.
async fn write_all(stdin: Option<ChildStdin>, input: impl Stream<Item = io::Result<Bytes>>) -> io::Result<()> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    let mut input = pin!(input);
    while let Some(piece) = input.try_next().await? {
        match stdin.write_all(&piece).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    stdin.shutdown().await
}

/// The beginning of what a command wrote to standard error; the rest is read and dropped, so that the command can go on.
async fn complaint_read(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut complaint = Vec::new();
    // A complaint that cannot be read is an empty one: the exit status decides.
    let _ = (&mut stderr).take(COMPLAINT_BYTES_MAX).read_to_end(&mut complaint).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&complaint).trim().to_owned()
}
