//! Pushes while something dies.

use std::io::Read;
use std::process::Stdio;

use ambo_e2e::wait_until;

use crate::cluster::Cluster;

/// What a push says once its build runs.
const BUILDING: &str = "Building";

#[test]
fn a_push_that_loses_its_controller_fails_changes_nothing_and_can_be_repeated() {
    let cluster = Cluster::up("e2e-pushes");
    cluster.app("shop", 2);
    let leader = cluster.leader();
    let other = cluster.nodes().iter().find(|node| node.name() != leader.name()).unwrap();
    let released = || {
        let rows = cluster.rows(&["releases", "-a", "shop"], other);
        rows.iter().filter(|row| row["status"] == "succeeded").count()
    };
    let served = || cluster.get("shop", other).1.split_whitespace().last().map(str::to_owned);
    let (before, release) = (released(), served());

    let mut git = cluster.push_command("shop", other, "second").stderr(Stdio::piped()).spawn().unwrap();
    let mut said = git.stderr.take().unwrap();
    let (mut text, mut chunk) = (String::new(), [0; 4096]);
    while !text.contains(BUILDING) {
        let count = said.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the push never came to `{BUILDING}`: {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    cluster.controller_kill(leader);
    assert!(!git.wait().unwrap().success(), "a push that nobody acknowledged is no success");

    wait_until("the next leader has called the build failed", || {
        let builds = cluster.rows(&["builds", "-a", "shop"], other);
        (builds.first()?["status"] == "failed").then_some(())
    });
    assert_eq!(released(), before, "nothing was released that nobody was told of");
    assert_eq!(served(), release, "what served goes on");
    cluster.push("shop", other, "third").ok().says("deployed");
    cluster.wait_for("shop", 2, |_| true);
    assert_eq!(released(), before + 1);
    wait_until("the release that was pushed again serves", || (served() != release).then_some(()));
}
