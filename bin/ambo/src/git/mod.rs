//! The user's git repository, through the user's `git`.

mod remote;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ambo_client::Host;

pub(crate) use self::remote::{Remote, RemoteUrl};
use crate::exit::{Failure, Outcome};

/// The name of the remote that `ambo create` makes.
pub(crate) const REMOTE_NAME: &str = "ambo";

/// A git working tree or repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    directory: PathBuf,
}

impl Repository {
    /// The repository around the current directory; `None` when there is none, or no `git`.
    pub(crate) fn around_here() -> Option<Self> {
        Self::around(&std::env::current_dir().ok()?)
    }

    /// The repository around a directory.
    pub(crate) fn around(directory: &Path) -> Option<Self> {
        let repository = Self { directory: directory.to_owned() };
        repository.git(["rev-parse", "--git-dir"]).ok().map(|_| repository)
    }

    /// All remotes whose addresses could be an app's.
    pub(crate) fn remotes(&self) -> Vec<Remote> {
        // Fails when there are none.
        let text = self.git(["config", "--local", "--get-regexp", r"^remote\..*\.url$"]).unwrap_or_default();
        text.lines().filter_map(Remote::from_config_line).collect()
    }

    /// The commit that is checked out, with `-dirty` behind it when files differ from it; `None` without a commit.
    pub(crate) fn version(&self) -> Option<String> {
        let text = self.git(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Whether there is a remote of this name.
    pub(crate) fn remote_exists(&self, name: &str) -> bool {
        self.git(["config", "--local", "--get", &format!("remote.{name}.url")]).is_ok()
    }

    /// Adds a remote.
    pub(crate) fn remote_add(&self, name: &str, url: &str) -> Outcome {
        self.git(["remote", "add", name, url]).map(drop)
    }

    /// Points a remote elsewhere.
    pub(crate) fn remote_set_url(&self, name: &str, url: &str) -> Outcome {
        self.git(["remote", "set-url", name, url]).map(drop)
    }

    /// Removes a remote.
    pub(crate) fn remote_remove(&self, name: &str) -> Outcome {
        self.git(["remote", "remove", name]).map(drop)
    }

    /// Makes this program the only one that git asks for this server's credentials, in this repository.
    ///
    /// The empty helper comes first: it takes the others out, which would store the token elsewhere.
    pub(crate) fn credential_helper_set(&self, host: &Host) -> Outcome {
        let helper = helper_of_this_program()?;
        let key = format!("credential.{host}.helper");
        // Fails when there is nothing to unset.
        let _ = self.git(["config", "--local", "--unset-all", &key]);
        self.git(["config", "--local", "--add", &key, ""])?;
        self.git(["config", "--local", "--add", &key, &helper]).map(drop)
    }

    fn git<const N: usize>(&self, arguments: [&str; N]) -> Outcome<String> {
        let output = Command::new("git")
            .args(arguments.map(OsStr::new))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::io("cannot run `git`", &error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::failed(format!("`git {}` failed: {}", arguments.join(" "), said.trim())))
    }
}

/// This program as git's credential helper.
pub(crate) fn helper_of_this_program() -> Outcome<String> {
    let program = std::env::current_exe().map_err(|error| Failure::io("cannot tell where `ambo` is", &error))?;
    let program = program.to_str().ok_or_else(|| Failure::failed("the path of `ambo` is no text"))?;
    Ok(helper_command(program))
}

/// The helper as git's config holds it: behind `!`, a line for the shell that git runs.
fn helper_command(program: &str) -> String {
    format!("!'{}' git-credential", program.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_survives_any_path() {
        assert_eq!(helper_command("/opt/my ambo"), "!'/opt/my ambo' git-credential");
        assert_eq!(helper_command("/o'x"), r"!'/o'\''x' git-credential");
    }
}
