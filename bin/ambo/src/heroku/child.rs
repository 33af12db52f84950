//! Running the CLI as if it had been started itself: the same terminal, the same signals, the same exit code.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure, Outcome};

/// Added to the number of the signal that ended a program, as shells do.
const SIGNAL_EXIT_BASE: i32 = 128;

/// Runs a program to its end and passes on the signals that it would have got.
pub(super) async fn run(mut command: Command) -> Outcome<Exit> {
    let failed = |error: io::Error| Failure::io("cannot listen for signals", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut quit = signal(SignalKind::quit()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let mut child =
        command.kill_on_drop(true).spawn().map_err(|error| Failure::io("cannot start the `heroku` CLI", &error))?;
    loop {
        let (signal, from_keys) = tokio::select! {
            status = child.wait() => {
                return status.map(exit_of).map_err(|error| Failure::io("cannot wait for the `heroku` CLI", &error));
            }
            _ = interrupt.recv() => (Signal::INT, true),
            _ = quit.recv() => (Signal::QUIT, true),
            _ = terminate.recv() => (Signal::TERM, false),
            _ = hangup.recv() => (Signal::HUP, false),
        };
        // A key at the terminal reaches both of us.
        if !(from_keys && is_foreground()) {
            pass_on(&child, signal);
        }
    }
}

fn pass_on(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by now.
        let _ = kill_process(pid, signal);
    }
}

/// Whether the terminal sends its keys' signals to our process group.
fn is_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| rustix::termios::tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

fn exit_of(status: ExitStatus) -> Exit {
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNAL_EXIT_BASE + signal));
    match code.and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Exit::Ok,
        Some(code) => Exit::Remote(code),
        None => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_exit_code_is_the_programs() {
        let run_line = |line: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            run(command)
        };
        assert_eq!(run_line("exit 0").await.unwrap(), Exit::Ok);
        assert_eq!(run_line("exit 42").await.unwrap(), Exit::Remote(42));
        assert_eq!(run_line("kill -TERM $$").await.unwrap(), Exit::Remote(143));
    }
}
