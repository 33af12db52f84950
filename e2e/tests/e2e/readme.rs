//! The README's tour, block by block, as a new user types it.

use std::fs;
use std::path::Path;

use ambo_e2e::{Platform, program, run};

/// The `sh` blocks below the tour's heading, in order.
fn blocks() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("the README");
    let tour = readme.split("## A tour").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the tour");
    tour.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn every_block_of_the_tour_runs_as_written() {
    let platform = Platform::start_with(&[]);
    let ann = ambo_e2e::User::unregistered(&platform, "you");
    let programs = program("ambo").parent().expect("a directory").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").expect("a path"));
    let blocks = blocks();
    assert!(blocks.len() >= 8, "the tour has lost its blocks");
    // One shell for all blocks, as one terminal. The platform runs already, on ports of its own.
    let mut script = String::from("set -e\n");
    for block in blocks.iter().filter(|block| !block.contains("ambod serve")) {
        let block = block.replace("http://127.0.0.1:7080", &platform.api());
        script.push_str(&block.replace(":7000", &format!(":{}", platform.http_port())));
    }
    let mut shell = ann.command("bash");
    shell.args(["-c", &script]).env("PATH", path);
    let ran = run(&mut shell).ok();
    assert!(ran.stdout.contains("Hello from web.1, no greeting"), "{ran}");
    assert!(ran.stdout.contains("good morning"), "{ran}");
}
