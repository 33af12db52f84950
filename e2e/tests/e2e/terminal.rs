//! Somebody on a terminal, in a one-off and in a running instance; and those who pipe, or leave.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use ambo_e2e::{Platform, Source, Terminal, User, program, run, wait_until};

const INPUT_BYTES: usize = 1 << 20;

fn pushed<'u, 'p>(ann: &'u User<'p>) -> Source<'u, 'p> {
    let source = Source::web(ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    source
}

fn ambo(ann: &User<'_>, arguments: &[&str]) -> Command {
    let mut command = ann.command(program("ambo"));
    command.args(arguments).env("TERM", "xterm").env("AMBO_APP", "shop");
    command
}

/// `ambo` in a shell that tells the terminal's modes before and after, and the exit code.
fn ambo_in_shell(ann: &User<'_>, arguments: &[&str]) -> Terminal {
    let mut command = ann.command("sh");
    command.arg("-c").arg("echo modes=$(stty -g)=; \"$0\" \"$@\"; echo code=$?=; echo modes=$(stty -g)=");
    command.arg(program("ambo")).args(arguments).env("TERM", "xterm").env("AMBO_APP", "shop");
    Terminal::start(command)
}

/// What stands between `name=` and `=`, wherever it does.
fn told<'t>(screen: &'t str, name: &str) -> Vec<&'t str> {
    let opening = format!("{name}=");
    screen.split(&opening).skip(1).filter_map(|rest| rest.split_once('=')).map(|(value, _)| value).collect()
}

#[test]
fn a_one_off_has_the_users_terminal_and_gives_it_back() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let _source = pushed(&ann);
    let ran = Terminal::start(ambo(&ann, &["run", "--", "stty size; tty; exit 3"])).end().failed(3);
    assert!(ran.stdout.starts_with("24 80\r\n/dev/pts/"), "its size is right from the start: {ran}");

    let mut terminal = ambo_in_shell(&ann, &["run", "--", "bash --norc"]);
    terminal.send("echo $((40 + 2))=$DYNO=\r").expect("42=run.");
    terminal.send("stty size\r").expect("24 80");
    terminal.resize(101, 37);
    wait_until("the new size is known there", || {
        terminal.send("stty size\r");
        wait_a_little(|| terminal.shown().contains("37 101"))
    });
    terminal.send("read -p 'your na''me? ' name\r").expect("your name? ").send("Zoë\r");
    terminal.send("echo \"hello, $name\"\r").expect("hello, Zoë");
    terminal.send("echo be''gun; sleep 600\r").expect("begun").send("\u{3}");
    terminal.send("echo in''terrupted $?\r").expect("interrupted 130");
    terminal.send("exit 7\r");
    let ran = terminal.end().ok();
    assert_eq!(told(&ran.stdout, "code"), ["7"], "{ran}");
    let modes = told(&ran.stdout, "modes");
    assert!(modes.len() == 2 && modes[0] == modes[1], "the terminal is as it was: {ran}");
}

#[test]
fn a_program_in_an_instance_has_a_terminal_too_and_a_hang_up_gives_it_back() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let _source = pushed(&ann);
    let mut terminal = ambo_in_shell(&ann, &["exec", "web.1", "--", "bash --norc"]);
    terminal.send("stty size; echo on''$DYNO\r").expect("24 80").expect("onweb.1");
    terminal.resize(90, 30);
    wait_until("the new size is known there", || {
        terminal.send("stty size\r");
        wait_a_little(|| terminal.shown().contains("30 90"))
    });
    terminal.send("\u{4}");
    let ran = terminal.end().ok();
    assert_eq!(told(&ran.stdout, "code"), ["0"], "the end of input ends it: {ran}");

    // The instance goes while somebody sits in it.
    let mut terminal = ambo_in_shell(&ann, &["exec", "web.1", "--", "bash --norc"]);
    terminal.send("echo at''home\r").expect("athome");
    ann.ambo(&["restart", "-a", "shop"]).ok();
    let ran = terminal.end().ok();
    assert_ne!(told(&ran.stdout, "code"), ["0"], "{ran}");
    let modes = told(&ran.stdout, "modes");
    assert!(modes.len() == 2 && modes[0] == modes[1], "the terminal is as it was: {ran}");
}

#[test]
fn pipes_carry_a_megabyte_and_a_one_off_ends_with_its_user() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let _source = pushed(&ann);
    let file = platform.path().join("input");
    let input: Vec<u8> = (0..=u8::MAX).rev().cycle().take(INPUT_BYTES).collect();
    fs::write(&file, &input).expect("a file");
    let piped = |arguments: &[&str]| {
        let input = File::open(&file).expect("the file");
        ambo(&ann, arguments).stdin(input).output().expect("ambo runs")
    };
    let digest = run(Command::new("sha256sum").arg(&file)).ok().stdout;
    let digest = digest.split(' ').next().expect("a digest");
    for door in [&["run"][..], &["exec", "web.1"]] {
        let through = piped(&[door, &["--", "cat"]].concat());
        assert!(through.status.success() && through.stdout == input, "{} bytes came back", through.stdout.len());
        assert_eq!(through.stderr, b"");
        let summed = piped(&[door, &["--", "sha256sum; tty; exit 9"]].concat());
        assert_eq!(summed.status.code(), Some(9));
        assert_eq!(String::from_utf8_lossy(&summed.stdout), format!("{digest}  -\nnot a tty\n"));
    }

    let detached = ambo(&ann, &["run", "--detach", "--", "sleep 600"]).output().expect("ambo runs");
    let name = String::from_utf8_lossy(&detached.stdout).trim().to_owned();
    assert!(name.starts_with("run."), "{name}");
    assert!(ann.ambo(&["ps", "-a", "shop"]).ok().stdout.contains(&name));
    assert_eq!(run_count(&platform), 1);
    ann.ambo(&["stop", &name, "-a", "shop"]).ok();
    wait_until("it is stopped", || (run_count(&platform) == 0).then_some(()));

    // Whoever is killed says no goodbye; the program that would run on for nobody is ended.
    let mut waiting = sleeping(&ann);
    let mut terminal = Terminal::start(ambo(&ann, &["run", "--", "echo be''gun; trap '' HUP; sleep 600"]));
    terminal.expect("begun");
    wait_until("both run", || (run_count(&platform) == 2).then_some(()));
    waiting.kill().expect("it runs");
    waiting.wait().expect("it has ended");
    drop(terminal);
    wait_until("neither runs", || (run_count(&platform) == 0).then_some(()));
}

fn sleeping(ann: &User<'_>) -> Child {
    let mut command = ambo(ann, &["run", "--", "sleep 600"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ambo runs")
}

fn run_count(platform: &Platform) -> usize {
    let of = format!("label=ambo.platform={}", platform.id());
    let ran = run(platform.docker().args(["ps", "-q", "--filter", &of, "--filter", "label=ambo.kind=run"])).ok();
    ran.stdout.lines().count()
}

/// Looks a few times before the question is asked again.
fn wait_a_little(mut reached: impl FnMut() -> bool) -> Option<()> {
    const LOOKS: usize = 10;
    (0..LOOKS).find_map(|_| {
        let found = reached().then_some(());
        if found.is_none() {
            let _ = run(Command::new("sleep").arg("0.05"));
        }
        found
    })
}
