//! Running programs and keeping what they said.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// What a program did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The command line, for messages.
    pub command: String,
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it wrote.
    pub stdout: String,
    /// What it wrote for people.
    pub stderr: String,
}

impl Ran {
    pub(crate) fn new(command: &Command, output: &Output) -> Self {
        Self {
            command: format!("{command:?}"),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The run, if it went well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// The run, if it failed with this code.
    ///
    /// # Panics
    /// When it went well, or failed otherwise.
    #[track_caller]
    pub fn failed(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// The run, if its output or messages hold the text.
    ///
    /// # Panics
    /// When neither does.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "`{text}` is missing in: {self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}\n--- stdout\n{}\n--- stderr\n{}", self.command, self.code, self.stdout, self.stderr)
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When the program cannot be started; names the package to install.
pub fn run(command: &mut Command) -> Ran {
    match command.output() {
        Ok(output) => Ran::new(command, &output),
        Err(error) => panic!("cannot run {command:?}: {error}; `make test` installs what the tests need"),
    }
}

/// Runs a command to its end, with this text as its input.
///
/// # Panics
/// When the program cannot be started.
pub fn run_with_input(command: &mut Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let written = child.stdin.take().expect("its input").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    // A program that reads nothing closes its input.
    drop(written);
    Ran::new(command, &output)
}

/// One of our own programs, built beside the tests.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("the test's own file");
    let directory = tests.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let path = directory.join(name);
    assert!(path.exists(), "{} is not built: run `cargo build -p ambod -p ambo`", path.display());
    path
}
