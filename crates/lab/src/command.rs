//! Running programs.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a state may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(30);

/// Runs a program and gives what it wrote.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `program` with these words, split at spaces.
pub(crate) fn words(program: &str, words: &str) -> anyhow::Result<String> {
    run(Command::new(program).args(words.split_whitespace()))
}

/// Waits until `state` gives something.
#[allow(clippy::disallowed_methods, reason = "between two looks at another program")]
pub(crate) fn wait_until<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(reached) = state() {
            return Ok(reached);
        }
        if begun.elapsed() > DEADLINE {
            bail!("waited {} s in vain until {what}", DEADLINE.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
}
