//! What must be there before anything is served: directories, git, the hook.

use std::io;
use std::path::PathBuf;

use crate::git::Git;
use crate::hook::HOOK_NAME;
use crate::repository::stale_remove;
use crate::settings::GitSettings;

/// Why the git server did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No git.
    #[error("`{}` does not run: install git 2.31 or newer, or set its path", program.display())]
    GitMissing {
        /// What was tried.
        program: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A directory or file could not be made.
    #[error("`{}` could not be prepared: check that the directory belongs to the user that runs the server", path.display())]
    Prepare {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The data directory's path is too long for a Unix socket.
    #[error("`{}` is too long for a Unix socket ({max} bytes): choose a data directory with a shorter path", path.display())]
    SocketPathTooLong {
        /// The socket's path.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
}

/// Makes the directories, empties them of what an earlier run left half-made, and gives the settings with absolute paths.
pub(crate) async fn prepare(settings: GitSettings) -> Result<GitSettings, OpenError> {
    let settings = directories_ensure(settings)?;
    let archives = settings.run.join("archives");
    for (directory, stale) in [(&archives, &["tar"][..]), (&settings.repositories, &["new", "old"])] {
        let removed = stale_remove(directory, stale).await;
        removed.map_err(|source| OpenError::Prepare { path: directory.clone(), source })?;
    }
    Ok(settings)
}

/// Finds git.
pub(crate) async fn git(settings: &GitSettings) -> Result<Git, OpenError> {
    let git = Git::new(settings, &hooks_path(settings));
    let version = git.command().arg("--version").output().await;
    version.map_err(|source| OpenError::GitMissing { program: settings.git.clone(), source })?;
    Ok(git)
}

fn hooks_path(settings: &GitSettings) -> PathBuf {
    settings.run.join("hooks")
}

/// Makes the directories, entered by nobody else, and gives the settings with absolute paths: git runs elsewhere.
fn directories_ensure(mut settings: GitSettings) -> Result<GitSettings, OpenError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    for directory in [&mut settings.repositories, &mut settings.run] {
        let prepared = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .and_then(|()| std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)))
            .and_then(|()| std::fs::canonicalize(&directory));
        *directory = prepared.map_err(|source| OpenError::Prepare { path: directory.clone(), source })?;
    }
    for name in ["hooks", "archives"] {
        let path = settings.run.join(name);
        std::fs::create_dir_all(&path).map_err(|source| OpenError::Prepare { path, source })?;
    }
    Ok(settings)
}

/// Points the hook at the server's program. A link that names an older program is replaced in one step.
pub(crate) fn hook_ensure(settings: &GitSettings) -> Result<(), OpenError> {
    let (hook, program) = (hooks_path(settings).join(HOOK_NAME), &settings.hook_program);
    let prepared = std::fs::canonicalize(program).and_then(|program| {
        let fresh = hook.with_extension("new");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::os::unix::fs::symlink(program, &fresh)?;
        std::fs::rename(&fresh, &hook)
    });
    prepared.map_err(|source| OpenError::Prepare { path: program.clone(), source })
}
