//! `run`: programs beside the app and inside it, over the rendezvous.

use std::io::Write;
use std::process::Stdio;

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, limited, wait_until, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("run"),
    works("run --exit-code"),
    works("run --no-tty"),
    works("run --env"),
    works("run:detached"),
    limited("run:inside", "takes the names of `heroku ps`; Heroku has it for Fir apps alone"),
];

/// What `heroku run` says of its progress goes to standard error; the program's words alone are on standard output.
fn piped(heroku: &Heroku<'_, '_>, arguments: &[&str], input: &str) -> (String, i32) {
    let mut command = heroku.prepare(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("heroku starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("heroku ends");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
}

#[test]
fn run() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    ann.ambo(&["config:set", "COLOR=green", "-a", "shop"]).ok();
    let heroku = Heroku::new(&ann, CASES);

    let plain = heroku.run(&["run", "-a", "shop", "--env", "MORE=yes", "--", "echo $COLOR $MORE $DYNO; exit 7"]).ok();
    assert!(plain.stdout.starts_with("green yes run."), "{plain}");
    let coded = heroku.run(&["run", "--exit-code", "-a", "shop", "--", "printf words; sh -c 'exit 7'"]).failed(7);
    assert_eq!(coded.stdout, "words", "the line with the exit status is not shown: {coded}");
    heroku.run(&["run", "--exit-code", "-a", "shop", "--", "true"]).ok();

    // With a terminal input is echoed by it, as on Heroku.
    let (output, code) = piped(&heroku, &["run", "-a", "shop", "--", "cat"], "through\n");
    assert_eq!((output.lines().last(), code), (Some("through"), 0), "{output}");
    let text = format!("{}the end", "line \u{FFFF} of ümläüts\n".repeat(3000));
    let (output, code) = piped(&heroku, &["run", "--no-tty", "-a", "shop", "--", "cat"], &text);
    assert_eq!(code, 0);
    assert!(output == text, "{} bytes of {}", output.len(), text.len());

    let inside = heroku.run(&["run:inside", "web.1", "-a", "shop", "--exit-code", "--", "echo $DYNO; false"]).failed(1);
    assert_eq!(inside.stdout, "web.1\n");
    heroku.run(&["run:inside", "web.9", "-a", "shop", "--", "true"]).failed(2).says("Couldn't find that dyno");

    let detached = heroku.run(&["run:detached", "-a", "shop", "--", "echo detached words"]).ok();
    detached.says("run.");
    wait_until("its words are in the log", || {
        ann.ambo(&["logs", "-n", "200", "-a", "shop"]).ok().stdout.contains("detached words").then_some(())
    });
    on_a_terminal(&heroku);
    leaving_ends_the_run(&platform, &heroku);
    heroku.every_case_ran();
}

fn on_a_terminal(heroku: &Heroku<'_, '_>) {
    let mut terminal = heroku.terminal(&["run", "-a", "shop", "--", "stty size; tty; read word; echo got $word"]);
    terminal.expect("24 80").expect("/dev/pts/").send("words\r").expect("got words");
    terminal.end().ok();
}

fn leaving_ends_the_run(platform: &Platform, heroku: &Heroku<'_, '_>) {
    let mut command = heroku.prepare(&["run", "-a", "shop", "--", "sleep 1000"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("heroku");
    wait_until("it runs", || (platform.containers("shop", "run").len() == 1).then_some(()));
    child.kill().expect("heroku runs");
    child.wait().expect("heroku ends");
    wait_until("it has been stopped", || platform.containers("shop", "run").is_empty().then_some(()));
}
