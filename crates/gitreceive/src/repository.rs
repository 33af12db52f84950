//! The bare repositories: where they are, how they come, go and stay clean.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use ambo_model::{AppId, ByteSize, CommitId};
use tokio::fs;

use crate::git::{Git, GitError, MAINTENANCE_DURATION_MAX, Quarantine};
use crate::origin::OriginFault;
use crate::refs::Branch;

/// Deepest directory below `refs` that is looked into for locks.
const REFS_DEPTH_MAX: u32 = 16;

/// With less space than this no push is begun: git would fail somewhere in it, with words that help nobody.
const PUSH_SPACE_MIN: ByteSize = ByteSize::mib(8);

/// There is no space for a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the platform's disk is full: free some space on its machine, or ask its administrator to, and push again")]
pub(crate) struct DiskFull;

/// Whether a push may begin. A disk that does not say how full it is counts as one with space.
pub(crate) fn space_check(repositories: &Path) -> Result<(), DiskFull> {
    match rustix::fs::statvfs(repositories) {
        Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < PUSH_SPACE_MIN.as_u64() => {
            tracing::error!("a push was refused: the disk is full");
            Err(DiskFull)
        }
        _ => Ok(()),
    }
}

/// The path of an app's repository.
pub(crate) fn repository_path(repositories: &Path, app: AppId) -> PathBuf {
    repositories.join(format!("{app}.git"))
}

/// Makes the repository unless it is there. A kill in between leaves none or a whole one.
pub(crate) async fn repository_ensure(git: &Git, repositories: &Path, app: AppId) -> Result<(), RepositoryFault> {
    let path = repository_path(repositories, app);
    if fs::try_exists(path.join("HEAD")).await.unwrap_or(false) {
        return Ok(());
    }
    let fault = |source| RepositoryFault::Write { path: path.clone(), source };
    let fresh = repositories.join(format!("{app}.new"));
    remove_if_there(&fresh).await.map_err(fault)?;
    let mut command = git.command();
    command.args(["init", "--quiet", "--bare", "--initial-branch=main", "--template="]).arg(&fresh);
    let output = command.output().await.map_err(|source| GitError::Start { command: "init".into(), source })?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(GitError::Failed { command: "init".into(), complaint }.into());
    }
    remove_if_there(&path).await.map_err(fault)?;
    fs::rename(&fresh, &path).await.map_err(fault)
}

/// Why a repository could not be made, brought up to date or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryFault {
    #[error("the repository `{}` could not be written: check the disk's space and the directory's owner", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Origin(#[from] OriginFault),
}

/// Removes the repository. Done when it is gone, however often it is called.
pub(crate) async fn repository_remove(repositories: &Path, app: AppId) -> Result<(), RepositoryFault> {
    let path = repository_path(repositories, app);
    let old = repositories.join(format!("{app}.old"));
    let fault = |source| RepositoryFault::Write { path: path.clone(), source };
    remove_if_there(&old).await.map_err(fault)?;
    match fs::rename(&path, &old).await {
        Ok(()) => remove_if_there(&old).await.map_err(fault),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault(error)),
    }
}

async fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Packs the repository and drops what nothing refers to.
pub(crate) async fn repository_pack(git: &Git, path: &Path) -> Result<(), GitError> {
    let arguments = ["gc", "--quiet", "--prune=now"];
    git.output_within(MAINTENANCE_DURATION_MAX, path, None, &arguments).await.map(drop)
}

/// Removes what a killed git left: quarantined objects, half-written packs, locks. Only while no git writes there.
pub(crate) async fn leftovers_remove(path: &Path) {
    let path = path.to_owned();
    let swept = tokio::task::spawn_blocking(move || leftovers_remove_now(&path)).await;
    match swept {
        Ok(Ok(0)) => {}
        Ok(Ok(count)) => tracing::info!(count, "removed what an interrupted push left in the repository"),
        Ok(Err(error)) => tracing::warn!(%error, "what an interrupted push left could not be removed"),
        Err(error) => tracing::error!(%error, "the sweep of a repository panicked"),
    }
}

fn leftovers_remove_now(path: &Path) -> io::Result<usize> {
    let quarantine = |name: &str| name.starts_with("tmp_objdir-") || name.starts_with("incoming-");
    let half_written = |name: &str| name.starts_with("tmp_");
    let lock = |name: &str| name.ends_with(".lock");
    Ok(remove_matching(&path.join("objects"), 0, &quarantine)?
        + remove_matching(&path.join("objects/pack"), 0, &half_written)?
        + remove_matching(path, 0, &lock)?
        + remove_matching(&path.join("refs"), REFS_DEPTH_MAX, &lock)?)
}

fn remove_matching(directory: &Path, depth_max: u32, matches: &dyn Fn(&str) -> bool) -> io::Result<usize> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut count = 0;
    for entry in entries {
        let entry = entry?;
        let is_directory = entry.file_type()?.is_dir();
        if entry.file_name().to_str().is_some_and(matches) {
            if is_directory {
                std::fs::remove_dir_all(entry.path())?
            } else {
                std::fs::remove_file(entry.path())?
            }
            count += 1;
        } else if is_directory && depth_max > 0 {
            count += remove_matching(&entry.path(), depth_max - 1, matches)?;
        }
    }
    Ok(count)
}

/// Removes archives and half-made repositories of an earlier run.
pub(crate) async fn stale_remove(directory: &Path, extensions: &[&str]) -> io::Result<()> {
    let mut entries = fs::read_dir(directory).await?;
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path.extension().and_then(OsStr::to_str).is_some_and(|extension| extensions.contains(&extension)) {
            if entry.file_type().await?.is_dir() {
                fs::remove_dir_all(path).await?
            } else {
                fs::remove_file(path).await?
            }
        }
    }
    Ok(())
}

/// What a pushed object turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Whether it holds nothing at all.
    pub(crate) empty: bool,
    /// Whether it has submodules.
    pub(crate) submodules: bool,
}

/// The kind of an object: `commit`, `tag`, `blob`, `tree`.
pub(crate) async fn object_kind(
    git: &Git,
    path: &Path,
    in_: &Quarantine,
    object: &CommitId,
) -> Result<String, GitError> {
    let kind = git.output(path, Some(in_), &["cat-file", "-t", object.as_str()]).await?;
    Ok(kind.trim().to_owned())
}

/// Looks at the top of a commit's tree.
pub(crate) async fn tree_observe(
    git: &Git,
    path: &Path,
    in_: &Quarantine,
    commit: &CommitId,
) -> Result<Tree, GitError> {
    let first = ["ls-tree", "--name-only", commit.as_str()];
    let names = git.output(path, Some(in_), &first).await?;
    let submodules = names.lines().any(|name| name == ".gitmodules");
    Ok(Tree { empty: names.trim().is_empty(), submodules })
}

/// Where a branch is now.
pub(crate) async fn branch_observe(git: &Git, path: &Path, branch: Branch) -> Result<Option<CommitId>, GitError> {
    let arguments = ["for-each-ref", "--format=%(objectname)", branch.full_name()];
    let name = git.output(path, None, &arguments).await?;
    Ok(CommitId::parse(name.trim()))
}

/// Makes a branch the only one and the one that a clone checks out.
pub(crate) async fn branch_follow(git: &Git, path: &Path, branch: Branch) -> Result<(), GitError> {
    git.output(path, None, &["symbolic-ref", "HEAD", branch.full_name()]).await?;
    if branch_observe(git, path, branch.other()).await?.is_some() {
        git.output(path, None, &["update-ref", "-d", branch.other().full_name()]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_locks_and_quarantine_and_leaves_the_rest() {
        let repository = tempfile::tempdir().unwrap();
        let at = |name: &str| repository.path().join(name);
        for directory in ["objects/tmp_objdir-incoming-abc/pack", "objects/pack", "objects/aa", "refs/heads/deep"] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        let leftovers = ["HEAD.lock", "refs/heads/main.lock", "refs/heads/deep/x.lock", "objects/pack/tmp_pack_1"];
        let kept = ["HEAD", "refs/heads/main", "objects/pack/pack-1.pack", "objects/aa/bb"];
        for name in leftovers.iter().chain(&kept) {
            std::fs::write(at(name), "").unwrap();
        }
        assert_eq!(leftovers_remove_now(repository.path()).unwrap(), leftovers.len() + 1);
        assert!(kept.iter().all(|name| at(name).exists()));
        assert!(!leftovers.iter().any(|name| at(name).exists()));
        assert!(!at("objects/tmp_objdir-incoming-abc").exists());
    }
}
