//! `run` and `exec`, with and without a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;

use crate::world::{World, dyno};

const DEADLINE: Duration = Duration::from_secs(30);

fn with_run(session: &str) -> World {
    let world = World::logged_in();
    let mut run = dyno("run.7", "starting");
    run["attach_url"] = json!(format!("{}/ambo/attach/{session}", world.fake.host.replace("http://", "ws://")));
    world.fake.on("POST /apps/shop/dynos", 201, run.clone());
    world.fake.on("POST /apps/shop/dynos/web.1", 201, run);
    world
}

#[test]
fn piped_input_goes_in_and_the_exit_code_comes_out() {
    let world = with_run("echo");
    assert_snapshot!(world.run_with_input("run -a shop -e K=v -- cat -n", b"hello\n"), @r"
    exit: 7
    --- stdout
    hello
    ");
    let asked = world.fake.asked_once("POST /apps/shop/dynos").json();
    assert_eq!(asked, json!({"command": "cat -n", "attach": true, "env": {"K": "v"}, "force_no_tty": true}));
    assert_snapshot!(world.run_with_input("exec -a shop web.1 cat", b"hi"), @r"
    exit: 7
    --- stdout
    hi
    ");
}

#[test]
fn much_input_and_output_at_once_do_not_block_each_other() {
    let world = with_run("echo");
    let mut child = world.command("run -a shop cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&vec![b'x'; 4 << 20]).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(7), 4 << 20));
}

#[test]
fn a_session_that_breaks_off_is_no_success() {
    let world = with_run("gone");
    let seen = world.run("run -a shop true");
    assert!(seen.starts_with("exit: 6\n--- stdout\nhalf a --- stderr\nerror: the session"), "{seen}");
}

#[test]
fn a_detached_run_returns_at_once() {
    let world = with_run("echo");
    assert_snapshot!(world.run("run:detached -a shop sleep 9"), @r"
    exit: 0
    --- stdout
    run.7
    --- stderr
    hint: see what it says with `ambo logs -a shop --ps run.7 --tail`
    ");
    assert_eq!(world.fake.asked_once("POST /apps/shop/dynos").json()["attach"], json!(false));
}

#[test]
fn a_terminal_is_handed_over_and_given_back() {
    let world = with_run("echo");
    let mut terminal = Terminal::open(80, 24);
    let before = tcgetattr(&terminal.master).unwrap().local_modes;
    assert!(before.contains(LocalModes::ECHO | LocalModes::ICANON));
    let mut command = world.command("run -a shop bash");
    command.env("TERM", "vt100").stdin(terminal.slave()).stdout(terminal.slave()).stderr(terminal.slave());
    let mut child = command.spawn().unwrap();

    terminal.wait_until("it is raw", |terminal| {
        !tcgetattr(&terminal.master).unwrap().local_modes.intersects(LocalModes::ECHO | LocalModes::ISIG)
    });
    // Ctrl-C belongs to the remote command now.
    terminal.master.write_all(b"\x03ok").unwrap();
    terminal.read_until("\x03ok");
    terminal.resize(132, 50);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::WINCH).unwrap();
    terminal.read_until("size 132x50");
    terminal.master.write_all(b"q").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_eq!(tcgetattr(&terminal.master).unwrap().local_modes, before, "the terminal is as it was");

    let asked = world.fake.asked_once("POST /apps/shop/dynos").json();
    assert_eq!(asked["ambo"], json!({"columns": 80, "rows": 24}));
    assert_eq!(asked["env"], json!({"TERM": "vt100", "COLUMNS": "80", "LINES": "24"}));
    assert_eq!(asked.get("force_no_tty"), None);
}

#[test]
fn a_password_is_typed_unseen_and_twice() {
    let world = World::new();
    let token = json!({"id": "01890a5d-ac96-774b-bcce-b302099a8057", "token": "fresh", "expires_in": null});
    world.fake.on("POST /ambo/accounts", 201, json!({"account": crate::world::account(), "access_token": token}));
    let mut terminal = Terminal::open(80, 24);
    let mut command = world.command(&format!("register {}", world.fake.host));
    command.stdin(terminal.slave()).stdout(terminal.slave()).stderr(terminal.slave());
    let mut child = command.spawn().unwrap();
    terminal.read_until("E-mail: ");
    terminal.master.write_all(b"ana@example.com\n").unwrap();
    for question in ["Password: ", "once more: "] {
        terminal.read_until(question);
        terminal.wait_until("nothing is shown", |terminal| {
            !tcgetattr(&terminal.master).unwrap().local_modes.contains(LocalModes::ECHO)
        });
        terminal.master.write_all("hunteX\x7fr22ü\n".as_bytes()).unwrap();
    }
    terminal.read_until("administrator");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(world.fake.asked_once("POST /ambo/accounts").json()["password"], json!("hunter22ü"));
    assert!(!terminal.seen.contains("hunte"), "{}", terminal.seen);
}

/// A terminal with somebody in front of it.
struct Terminal {
    master: File,
    slave: File,
    output: Receiver<String>,
    seen: String,
}

impl Terminal {
    fn open(columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let master = File::from(master);
        let terminal = Self { output: read_from(master.try_clone().unwrap()), master, slave, seen: String::new() };
        terminal.resize(columns, rows);
        terminal
    }

    fn slave(&self) -> Stdio {
        Stdio::from(self.slave.try_clone().unwrap())
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).unwrap();
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !holds(self) {
            assert!(Instant::now() < until, "waited in vain until {what}; seen: {}", self.seen);
            std::thread::yield_now();
        }
    }

    /// Waits until a text has come.
    fn read_until(&mut self, text: &str) {
        let until = Instant::now() + DEADLINE;
        while !self.seen.contains(text) {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.seen.push_str(&piece),
                Err(error) => panic!("waited in vain for `{text}` ({error}); seen: {}", self.seen),
            }
        }
    }
}

/// What is shown, read on a thread of its own so that waiting for it can end. The thread ends with the test.
fn read_from(mut master: File) -> Receiver<String> {
    let (sender, receiver) = sync_channel(64);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count) = master.read(&mut piece) {
            if sender.send(String::from_utf8_lossy(&piece[..count]).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}
