//! A program on a terminal, with somebody who reads and types.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::program::Ran;
use crate::wait::wait_until;

/// A program on a terminal of its own. It is ended when this is dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    command: String,
    keyboard: File,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts a program on a terminal of 24 lines and 80 columns.
    ///
    /// # Panics
    /// When the machine has no terminal to give.
    #[must_use]
    pub fn start(command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&ours).expect("a terminal of ours");
        unlockpt(&ours).expect("a terminal of ours");
        tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        let name = ptsname(&ours, Vec::new()).expect("the terminal's name").into_string().expect("a path");
        let theirs = File::options().read(true).write(true).open(&name).expect("the terminal's other side");
        let mut child = controlling(&command);
        child.stdin(theirs.try_clone().expect("the terminal")).stdout(theirs.try_clone().expect("the terminal"));
        let text = format!("{command:?}");
        let child = child.stderr(theirs).spawn().unwrap_or_else(|error| panic!("cannot run {text}: {error}"));
        let keyboard = File::from(ours);
        let mut screen = keyboard.try_clone().expect("the terminal");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The read fails when the last of the program's side is closed.
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                kept.lock().expect("no test panicked here").extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, command: text, keyboard, shown, reader: Some(reader) }
    }

    /// What the screen has been sent so far.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("no test panicked here")).into_owned()
    }

    /// Waits until the screen has been sent a text.
    ///
    /// # Panics
    /// When that does not come to pass.
    pub fn expect(&mut self, text: &str) -> &mut Self {
        wait_until(&format!("`{text}` is on the screen"), || {
            let shown = self.shown();
            if shown.contains(text) {
                return Some(());
            }
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none(), "{} ended with {ended:?} before `{text}`:\n{shown}", self.command);
            None
        });
        self
    }

    /// Types. A line ends with `\r`.
    ///
    /// # Panics
    /// When the terminal has gone.
    pub fn send(&mut self, text: &str) -> &mut Self {
        self.keyboard.write_all(text.as_bytes()).expect("a terminal to type on");
        self
    }

    /// Gives the screen another size, and tells the program.
    ///
    /// # Panics
    /// When the terminal has gone.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).expect("a terminal");
    }

    /// Waits for the end; everything that was shown is in `stdout`.
    ///
    /// # Panics
    /// When the program does not end.
    #[must_use]
    pub fn end(mut self) -> Ran {
        let status = wait_until(&format!("{} ends", self.command), || self.child.try_wait().ok().flatten());
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ran {
            command: self.command.clone(),
            code: status.code().unwrap_or(-1),
            stdout: self.shown(),
            stderr: String::new(),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The command with its terminal as the controlling one, so that Ctrl-C reaches it.
fn controlling(command: &Command) -> Command {
    let mut wrapped = Command::new("setsid");
    wrapped.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped
}
