//! Somebody who uses the platform: an account, an `ambo` of their own, a git without the machine's settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::platform::Platform;
use crate::program::{Ran, program, run};
use crate::wait::wait_until;

/// An account with its own home.
#[derive(Debug)]
pub struct User<'p> {
    /// Where.
    pub platform: &'p Platform,
    /// Their address.
    pub email: String,
    home: PathBuf,
}

impl<'p> User<'p> {
    pub(crate) fn register(platform: &'p Platform, name: &str) -> Self {
        let user = Self::unregistered(platform, name);
        user.ambo(&["register", &platform.api(), "--email", &user.email, "--password", "correct-horse"]).ok();
        user
    }

    /// Somebody with a home, but without an account.
    ///
    /// # Panics
    /// When the home cannot be made.
    #[must_use]
    pub fn unregistered(platform: &'p Platform, name: &str) -> Self {
        let home = platform.path().join("homes").join(name);
        std::fs::create_dir_all(&home).expect("a home");
        Self { platform, email: format!("{name}@example.com"), home }
    }

    /// Their home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A command with this user's environment and nothing of the machine's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("AMBO_CONFIG_DIR", self.home.join("ambo"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "Test")
            .env("GIT_AUTHOR_EMAIL", &self.email)
            .env("GIT_COMMITTER_NAME", "Test")
            .env("GIT_COMMITTER_EMAIL", &self.email)
            .env("NO_COLOR", "1")
            .current_dir(&self.home);
        command
    }

    /// Runs `ambo` in the home.
    #[must_use]
    pub fn ambo(&self, arguments: &[&str]) -> Ran {
        run(self.command(program("ambo")).args(arguments))
    }

    /// Runs `ambo` in a directory.
    #[must_use]
    pub fn ambo_in(&self, directory: &Path, arguments: &[&str]) -> Ran {
        run(self.command(program("ambo")).args(arguments).current_dir(directory))
    }

    /// Runs `ambo … --json` and reads what it prints.
    ///
    /// # Panics
    /// When it fails, or prints no JSON.
    #[must_use]
    pub fn ambo_json(&self, arguments: &[&str]) -> Value {
        let ran = run(self.command(program("ambo")).args(arguments).arg("--json")).ok();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {ran}"))
    }

    /// Waits until `ambo ps --json` shows these many instances of a process `up`, and no other.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub fn wait_for_instances(&self, app: &str, process: &str, count: usize) {
        wait_until(&format!("{count} {process} of {app} are up"), || {
            let rows = self.ambo_json(&["ps", "-a", app]);
            let rows = rows.as_array()?;
            let ours = rows
                .iter()
                .filter(|row| row["name"].as_str().is_some_and(|name| name.starts_with(&format!("{process}."))));
            let states: Vec<&str> = ours.filter_map(|row| row["state"].as_str()).collect();
            (states.len() == count && states.iter().all(|state| *state == "up")).then_some(())
        });
    }
}
