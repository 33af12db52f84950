//! An app's log.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use ambo_e2e::{Platform, Source, program, wait_until};

#[test]
fn tail_shows_what_is_said_from_now_on() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    let mut tail = ann.command(program("ambo"));
    tail.args(["logs", "--tail", "-a", "shop"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut tail = tail.spawn().expect("ambo runs");
    let lines = BufReader::new(tail.stdout.take().expect("its output")).lines();
    let seen = std::thread::spawn(move || lines.map_while(Result::ok).any(|line| line.contains("path=\"/now\"")));
    wait_until("the line is seen", || {
        let _ = platform.app_get("shop", "/now");
        seen.is_finished().then_some(())
    });
    assert!(seen.join().expect("the reader"));
    tail.kill().expect("ambo runs");
    tail.wait().expect("ambo ends");
}

#[test]
fn a_line_of_ten_megabytes_is_cut_and_the_log_goes_on() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    let server = std::fs::read_to_string(source.path().join("server.py")).expect("the server");
    source.write(
        "server.py",
        &server.replace("print(\"listening", "print(\"x\" * 10_000_000, flush=True)\nprint(\"listening"),
    );
    source.commit("A long line");
    source.create_app("shop");
    source.push().ok();
    wait_until("what follows the long line is logged", || {
        let logs = ann.ambo(&["logs", "-n", "1500", "-a", "shop"]).ok().stdout;
        logs.lines().any(|line| line.contains("app[web.1]: listening on")).then_some(())
    });
    assert_eq!(platform.app_get("shop", "/").body, "hi");
}
