//! `ambo heroku`: the CLI through the relay, and that nothing of it leaves for anybody else.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ambo_e2e::{Heroku, Platform, Ran, Source, Terminal, User, program, run, wait_until};

/// What catches the requests of the CLI that are for other machines.
struct Sink {
    script: PathBuf,
    log: PathBuf,
}

impl Sink {
    fn new(user: &User<'_>) -> Self {
        let script = user.home().join("sink.cjs");
        fs::write(&script, include_str!("heroku_relay/sink.cjs")).expect("a file");
        Self { script, log: user.home().join("sink.log") }
    }

    /// Puts the command under watch.
    fn watch(&self, command: &mut Command, token: &str) {
        command.env("NODE_OPTIONS", format!("--require={}", self.script.display()));
        command.env("AMBO_TEST_SINK", &self.log).env("AMBO_TEST_TOKEN", token);
    }

    fn caught(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The token that `ambo` has stored.
fn stored_token(user: &User<'_>) -> String {
    let text = fs::read_to_string(user.home().join("ambo/credentials.toml")).expect("a login");
    let line = text.lines().find(|line| line.starts_with("token")).expect("a token");
    line.split('"').nth(1).expect("in quotes").to_owned()
}

/// `ambo` with the real CLI on its `PATH`.
fn ambo(heroku: &Heroku<'_, '_>) -> Command {
    heroku.command(program("ambo").to_str().expect("a path"))
}

/// Reads what there is to read of an app `shop`; every line is a command of the CLI with its exit code.
const READS: &[(&str, i32)] = &[
    ("whoami", 0),
    ("apps", 0),
    ("apps:info", 0),
    ("config", 0),
    ("config:get A", 0),
    ("ps", 0),
    ("ps:scale", 1),
    ("releases", 0),
    ("releases:info v1", 0),
    ("domains", 0),
    ("access", 0),
    ("features", 0),
    ("labs", 0),
    ("buildpacks", 0),
    ("addons", 0),
    ("authorizations", 0),
    ("logs", 0),
    ("stack", 0),
    ("regions", 0),
    ("maintenance", 0),
    ("keys", 0),
    ("pipelines", 0),
    ("drains", 0),
    ("certs", 0),
    ("status", 0),
];

#[test]
fn the_token_goes_to_the_server_and_to_nobody_else() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    let heroku = Heroku::new(&ann, &[]);
    let sink = Sink::new(&ann);
    let token = stored_token(&ann);
    let say = |line: &str| {
        let mut command = ambo(&heroku);
        command.arg("heroku").args(line.split(' ')).current_dir(source.path());
        // What is meant for Heroku itself must not get in the way, nor out.
        command.env("HEROKU_HEADERS", r#"{"X-Theirs":"1"}"#).env("HEROKU_HOST", "https://heroku.com");
        sink.watch(&mut command, &token);
        command
    };
    run(&mut say("config:set A=1")).ok().says("v2");
    let mut lines: Vec<_> = READS.iter().map(|(line, code)| (say(line), *code)).collect();
    // Two at a time: the CLI is slow to start.
    let (left, right) = lines.split_at_mut(READS.len() / 2);
    let walk = |lines: &mut [(Command, i32)]| {
        for (command, code) in lines {
            run(command).failed(*code);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| walk(left));
        walk(right);
    });
    assert_eq!(sink.caught(), "", "requests to other machines");

    // The sink does catch: the same CLI, told nothing but the host, sends the token to Heroku.
    let mut bare = heroku.command("heroku");
    bare.arg("whoami").env_remove("DISABLE_TELEMETRY").env_remove("HEROKU_PARTICLEBOARD_URL");
    bare.env("HEROKU_API_KEY", &token);
    sink.watch(&mut bare, &token);
    let _ = run(&mut bare);
    assert!(sink.caught().lines().any(|line| line.ends_with("heroku.com token")), "{}", sink.caught());
}

#[test]
fn an_app_is_made_pushed_and_run_through_the_relay() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "store", "hello");
    let heroku = Heroku::new(&ann, &[]);
    let say = |line: &[&str]| run(ambo(&heroku).arg("heroku").args(line).current_dir(source.path()));
    say(&["create", "store"]).ok().says("store");
    source.git(&["push", "heroku", "main"]).ok();
    assert_eq!(platform.app_get("store", "/").body, "hello");
    say(&["ps:scale", "web=2"]).ok().says("web at 2");
    say(&["ps"]).ok().says("web.2");
    say(&["config:get", "NOTHING", "-a", "unknown-app"]).failed(2);

    // `run` goes to a port of its own, whose certificate the CLI is made to trust.
    say(&["run", "--exit-code", "--", "sh -c 'echo from-inside; exit 3'"]).failed(3).says("from-inside");
    let mut inside = ambo(&heroku);
    inside.args(["heroku", "run:inside", "web.1", "--", "cat"]).current_dir(source.path());
    inside.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = inside.spawn().expect("ambo starts");
    child.stdin.take().expect("a pipe").write_all(b"through-the-pipe\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(String::from_utf8_lossy(&output.stdout).contains("through-the-pipe"), "{output:?}");
}

/// A program in the place of the CLI.
fn fake_cli(user: &User<'_>, script: &str) -> Command {
    let directory = user.home().join("fake");
    fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("heroku");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut command = user.command(program("ambo"));
    command.env("PATH", format!("{}:{}", directory.display(), std::env::var("PATH").unwrap_or_default()));
    command
}

#[test]
fn the_relay_passes_on_this_logins_requests_alone() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let bob = platform.user("bob");
    let foreign = stored_token(&bob);
    let ask = |arguments: &str| -> Ran {
        let script = format!("exec curl -sS -w ' %{{http_code}}' --noproxy '*' {arguments} \"$HEROKU_HOST/account\"");
        run(fake_cli(&ann, &script).args(["heroku", "whoami"]))
    };
    ask("-H \"Authorization: Bearer $HEROKU_API_KEY\"").ok().says("ann@example.com");
    ask("-u \"x:$HEROKU_API_KEY\"").ok().says("ann@example.com");
    ask("").ok().says(" 401");
    ask(&format!("-H 'Authorization: Bearer {foreign}'")).ok().says("no credentials but those of").says(" 403");
    ask("-u ann@example.com:correct-horse").ok().says(" 403");
    ask("-H \"Authorization: Bearer $HEROKU_API_KEY\" -H 'Origin: http://evil.example'").ok().says(" 403");
    ask("-H \"Authorization: Bearer $HEROKU_API_KEY\" -H 'Host: evil.example'").ok().says(" 403");
    platform.terminate();
    ask("-H \"Authorization: Bearer $HEROKU_API_KEY\"").ok().says(" 502").says("cannot reach");
}

#[test]
fn the_cli_has_terminal_exit_code_and_signals_as_if_alone() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    run(fake_cli(&ann, "exit 42").args(["heroku", "whoami"])).failed(42);
    let echoed = run(fake_cli(&ann, "echo \"$@\"").args(["heroku", "run", "-x", "--", "a  b", "--json"])).ok();
    assert_eq!(echoed.stdout, "run -x -- a  b --json\n");
    let app = run(fake_cli(&ann, "echo \"$HEROKU_APP.\"").args(["-a", "shop", "heroku", "ps"])).ok();
    assert_eq!(app.stdout, "shop.\n");

    let ready = ann.home().join("ready");
    let script = format!("trap 'exit 9' TERM; touch {}; while :; do sleep 0.1; done", ready.display());
    let mut child =
        fake_cli(&ann, &script).args(["heroku", "logs", "--tail"]).stdin(Stdio::null()).spawn().expect("ambo starts");
    wait_until("the CLI runs", || ready.exists().then_some(()));
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let ended = wait_until("it has ended", || child.try_wait().ok().flatten());
    assert_eq!(ended.code(), Some(9));

    // On a terminal Ctrl-C reaches the CLI by itself, and once.
    let script = "n=0; trap 'n=$((n+1))' INT; test -t 0 && test -t 1 && echo waiting\n\
                  while [ $n = 0 ]; do sleep 0.1; done; sleep 0.5; echo \"caught $n\"; exit 7";
    let mut terminal = Terminal::start({
        let mut command = fake_cli(&ann, script);
        command.args(["heroku", "logs", "--tail"]);
        command
    });
    terminal.expect("waiting").send("\u{3}").expect("caught 1");
    terminal.end().failed(7);
}

#[test]
fn what_cannot_work_is_refused_before_the_cli_starts() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let started = ann.home().join("started");
    let script = format!("touch {}", started.display());
    for (line, instead) in [
        ("pipelines:diff", "ambo pipelines:diff"),
        ("ps exec", "run:inside"),
        ("-a shop container:push web", "ambo deploy"),
        ("pg:psql", "DATABASE_URL"),
        ("login -i", "ambo login"),
    ] {
        run(fake_cli(&ann, &script).arg("heroku").args(line.split(' '))).failed(2).says(instead);
    }
    assert!(!started.exists(), "the CLI was started");
    let mut alone = ann.command(program("ambo"));
    run(alone.args(["heroku", "ps"]).env("PATH", ann.home())).failed(1).says("npm install");
    run(fake_cli(&ann, &script).args(["heroku", "local"])).ok();
    assert!(started.exists(), "what stays on this machine runs");
}
