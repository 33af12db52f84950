//! Programs beside the app and inside its instances.

use std::io::Write;
use std::process::Stdio;

use ambo_e2e::{Platform, Source, program, wait_until};

#[test]
fn run_and_exec_pass_input_output_and_exit_codes() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    ann.ambo(&["config:set", "COLOR=green", "-a", "shop"]).ok();

    let ran = ann.ambo(&["run", "-a", "shop", "--", "echo $COLOR $DYNO; echo oops >&2; exit 7"]).failed(7);
    assert!(ran.stdout.starts_with("green run."), "{ran}");
    assert!(ran.stderr.contains("oops"), "{ran}");

    let mut cat = ann.command(program("ambo"));
    cat.args(["run", "-a", "shop", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut cat = cat.spawn().expect("ambo runs");
    cat.stdin.take().expect("its input").write_all(b"through and back").expect("it reads");
    let output = cat.wait_with_output().expect("ambo ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "through and back");
    assert!(output.status.success());

    let inside = ann.ambo(&["exec", "web.1", "-a", "shop", "--", "echo $DYNO; exit 3"]).failed(3);
    assert_eq!(inside.stdout.trim(), "web.1");
    let nothing = ann.ambo(&["exec", "web.9", "-a", "shop", "--", "true"]);
    assert_ne!(nothing.code, 0, "{nothing}");

    ann.ambo(&["run", "--detach", "-a", "shop", "--", "echo detached words"]).ok();
    wait_until("its words are in the log", || {
        ann.ambo(&["logs", "-n", "200", "-a", "shop"]).ok().stdout.contains("detached words").then_some(())
    });
}
