//! Bare repositories in a directory of this machine, read and written by the system's git.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use ambo_model::AppId;
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::fs;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::process::{Child, ChildStdout, Command};

use crate::repositories::{Repositories, RepositoryError, RepositoryStream};

/// Most of git's complaint that an error shows, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 2048;
/// The branch that a repository's `HEAD` is when several are as good.
const MAIN: &str = "refs/heads/main";

/// Bare repositories, each `<app's id>.git`.
#[derive(Debug, Clone)]
pub struct GitDirectory {
    directory: PathBuf,
    git: PathBuf,
}

impl GitDirectory {
    /// Those in `directory`, by the program `git`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, git: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), git: git.into() }
    }

    fn path(&self, app: AppId) -> PathBuf {
        self.directory.join(format!("{app}.git"))
    }

    /// A command that knows nothing of the environment we run in: neither variables nor files of git's settings.
    fn command(&self, repository: &Path) -> Command {
        let mut command = Command::new(&self.git);
        command.env_clear().env("HOME", &self.directory).env("LC_ALL", "C.UTF-8");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
        for name in ["PATH", "TMPDIR", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for option in ["safe.directory=*", "core.fsync=committed", "gc.auto=0", "maintenance.auto=false"] {
            command.arg("-c").arg(option);
        }
        // One pack for all: one file to write through to the disk.
        command.args(["-c", "fetch.unpackLimit=1"]).arg("--git-dir").arg(repository);
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn output(&self, repository: &Path, arguments: &[&OsStr]) -> io::Result<String> {
        let output = self.command(repository).args(arguments).output().await?;
        if !output.status.success() {
            return Err(complaint(&output.stderr));
        }
        String::from_utf8(output.stdout).map_err(io::Error::other)
    }

    async fn export_begin(&self, app: AppId) -> io::Result<Option<RepositoryStream>> {
        let path = fs::canonicalize(self.path(app)).await.map(Some).or_else(|error| absent(error).map(|()| None))?;
        let Some(path) = path else { return Ok(None) };
        let listing = ["for-each-ref", "--format=%(objectname) %(refname)"].map(OsStr::new);
        let refs = self.output(&path, &listing).await?;
        if refs.is_empty() {
            return Ok(None);
        }
        let (scratch, still) = self.still(app, &path, &refs).await?;
        let head = ["for-each-ref", "--format=%(HEAD)", "refs/heads"].map(OsStr::new);
        let has_head = self.output(&still, &head).await?.contains('*');
        let mut command = self.command(&still);
        command.args(["bundle", "create", "--quiet", "-", "--all"]).args(has_head.then_some("HEAD"));
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("git has no output"))?;
        Ok(Some(Box::new(Bundle { output, ended: None, child: Some(child), _scratch: scratch })))
    }

    /// A repository beside the app's, with its objects, whose refs stay as they were read: git leaves a ref out of a bundle,
    /// and says nothing, when a push moves it meanwhile.
    async fn still(&self, app: AppId, path: &Path, refs: &str) -> io::Result<(TempDir, PathBuf)> {
        let scratch = self.scratch(app)?;
        let still = scratch.path().join("repository");
        self.init(&still).await?;
        fs::write(still.join("objects/info/alternates"), format!("{}\n", path.join("objects").display())).await?;
        fs::write(still.join("packed-refs"), refs).await?;
        fs::copy(path.join("HEAD"), still.join("HEAD")).await?;
        Ok((scratch, still))
    }

    /// Gone when it is dropped, or when the git server starts.
    fn scratch(&self, app: AppId) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(&format!("{app}.")).suffix(".new").tempdir_in(&self.directory)
    }

    async fn init(&self, repository: &Path) -> io::Result<()> {
        let init = ["init", "--quiet", "--bare", "--initial-branch=main", "--template="].map(OsStr::new);
        self.output(repository, &init).await.map(drop)
    }

    async fn import_whole(&self, app: AppId, mut content: RepositoryStream) -> io::Result<()> {
        fs::create_dir_all(&self.directory).await?;
        let scratch = self.scratch(app)?;
        let (bundle, fresh) = (scratch.path().join("bundle"), scratch.path().join("repository"));
        let mut file = fs::File::create(&bundle).await?;
        tokio::io::copy(&mut content, &mut file).await?;
        file.flush().await?;
        self.init(&fresh).await?;
        let fetch = ["fetch", "--quiet", "--no-auto-gc"].map(OsStr::new);
        self.output(&fresh, &[&fetch[..], &[bundle.as_os_str(), OsStr::new("+refs/*:refs/*")]].concat()).await?;
        let refs = self.output(&fresh, &[OsStr::new("bundle"), OsStr::new("list-heads"), bundle.as_os_str()]).await?;
        if let Some(branch) = head(&refs) {
            self.output(&fresh, &["symbolic-ref", "HEAD", branch].map(OsStr::new)).await?;
        }
        fs::remove_file(fresh.join("FETCH_HEAD")).await.or_else(absent)?;
        sync(fs::File::open(&fresh).await?.into_std().await).await?;
        remove_if_there(&self.path(app)).await?;
        fs::rename(&fresh, self.path(app)).await?;
        fs::File::open(&self.directory).await?.sync_all().await
    }
}

/// Writes all of a file system through to its disk: git does not sync each file that it makes.
async fn sync(directory: std::fs::File) -> io::Result<()> {
    let synced = tokio::task::spawn_blocking(move || rustix::fs::syncfs(&directory)).await;
    synced.map_err(io::Error::other)?.map_err(io::Error::from)
}

/// The branch that `HEAD` was, by what it points at.
fn head(refs: &str) -> Option<&str> {
    let named = || refs.lines().filter_map(|line| line.split_once(' '));
    let (at, _) = named().find(|(_, name)| *name == "HEAD")?;
    let mut branches = named().filter(|(object, name)| *object == at && name.starts_with("refs/heads/"));
    let first = branches.next().map(|(_, name)| name);
    branches.map(|(_, name)| name).chain(first).find(|name| *name == MAIN).or(first)
}

fn complaint(stderr: &[u8]) -> io::Error {
    let text = String::from_utf8_lossy(stderr);
    io::Error::other(format!("git says: {}", text.trim().chars().take(500).collect::<String>()))
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

async fn remove_if_there(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path).await.or_else(absent)
}

#[async_trait]
impl Repositories for GitDirectory {
    async fn list(&self) -> Result<Vec<AppId>, RepositoryError> {
        let failed = |error| RepositoryError::new("list the repositories", error);
        let mut entries = match fs::read_dir(&self.directory).await {
            Ok(entries) => entries,
            Err(error) => return absent(error).map(|()| Vec::new()).map_err(failed),
        };
        let mut apps = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(failed)? {
            let name = entry.file_name();
            apps.extend(name.to_str().and_then(|name| name.strip_suffix(".git")?.parse::<AppId>().ok()));
        }
        apps.sort();
        Ok(apps)
    }

    async fn export(&self, app: AppId) -> Result<Option<RepositoryStream>, RepositoryError> {
        let begun = self.export_begin(app).await;
        begun.map_err(|error| RepositoryError::new(format!("read the repository of app {app}"), error))
    }

    async fn import(&self, app: AppId, content: RepositoryStream) -> Result<(), RepositoryError> {
        let imported = self.import_whole(app, content).await;
        imported.map_err(|error| RepositoryError::new(format!("write the repository of app {app}"), error))
    }

    async fn remove(&self, app: AppId) -> Result<(), RepositoryError> {
        let removed = remove_if_there(&self.path(app)).await;
        removed.map_err(|error| RepositoryError::new(format!("remove the repository of app {app}"), error))
    }
}

/// What git writes; its end is one only if git says that all is written.
struct Bundle {
    output: ChildStdout,
    child: Option<Child>,
    ended: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    /// What git reads.
    _scratch: TempDir,
}

impl AsyncRead for Bundle {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ended.is_none() {
            let before = out.filled().len();
            match Pin::new(&mut self.output).poll_read(cx, out) {
                Poll::Ready(Ok(())) if out.filled().len() == before && out.remaining() > 0 => {
                    let Some(child) = self.child.take() else { return Poll::Ready(Ok(())) };
                    self.ended = Some(Box::pin(end(child)));
                }
                other => return other,
            }
        }
        match &mut self.ended {
            Some(ended) => {
                let result = std::task::ready!(ended.as_mut().poll(cx));
                self.ended = None;
                Poll::Ready(result)
            }
            None => Poll::Ready(Ok(())),
        }
    }
}

/// Waits for git, and for its complaint when it has one.
async fn end(mut child: Child) -> io::Result<()> {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut said).await?;
    }
    if child.wait().await?.success() { Ok(()) } else { Err(complaint(&said)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_the_branch_that_it_points_at() {
        assert_eq!(head("1 refs/heads/a\n2 refs/heads/master\n2 HEAD\n"), Some("refs/heads/master"));
        assert_eq!(head("2 refs/heads/a\n2 refs/heads/main\n2 HEAD\n"), Some(MAIN));
        assert_eq!(head("2 refs/heads/main\n2 refs/heads/z\n2 HEAD\n"), Some(MAIN));
        assert_eq!(head("1 refs/heads/a\n2 HEAD\n"), None);
        assert_eq!(head("1 refs/heads/a\n"), None);
    }
}
