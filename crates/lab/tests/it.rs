//! The lab itself. These need root and `docker.io`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use ambo_lab::{Lab, LabSettings, Node};

const DEADLINE: Duration = Duration::from_secs(60);

fn lab(name: &str, nodes: usize) -> Lab {
    Lab::up(LabSettings { name: name.to_owned(), nodes, flags: Vec::new() }).unwrap()
}

#[allow(clippy::disallowed_methods, reason = "between two looks at another program")]
fn wait_until(what: &str, mut state: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !state() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn hears(one: &Node, other: &Node) -> bool {
    let connect = format!("exec 3<>/dev/tcp/{}/2377", other.address());
    one.command().args(["timeout", "1", "bash", "-c", &connect]).output().unwrap().status.success()
}

#[test]
fn machines_make_a_swarm_die_come_back_and_leave_nothing() {
    let lab = lab("test-swarm", 3);
    lab.swarm(3).unwrap();
    lab.nodes()[0].docker(&["swarm", "update", "--dispatcher-heartbeat", "2s"]).unwrap();
    let [first, second, third] = lab.nodes() else { panic!("three machines") };
    let ready = |node: &Node| {
        let listed = node.docker(&["node", "ls", "--format", "{{.Hostname}} {{.Status}}"]).unwrap_or_default();
        listed.lines().filter(|line| line.ends_with("Ready")).count()
    };
    wait_until("three are ready", || ready(first) == 3);
    assert!(first.docker(&["node", "ls"]).unwrap().contains("n3"), "each has its own name");

    third.kill();
    assert!(ambo_lab::of_directory(third.directory()).is_empty());
    wait_until("the others notice", || ready(first) == 2);
    third.start().unwrap();
    wait_until("it is back", || ready(third) == 3);

    lab.partition(first, second).unwrap();
    assert!(!hears(first, second) && !hears(second, first));
    assert!(hears(first, third));
    lab.heal();
    wait_until("they hear each other", || hears(first, second));

    let directory = lab.directory();
    drop(lab);
    assert!(!directory.exists());
    assert!(ambo_lab::of_directory(&directory).is_empty());
}

#[test]
fn what_a_crash_has_left_is_removed_by_the_next() {
    let left = lab("test-crash", 1).keep();
    let namespace = left.nodes()[0].namespace();
    drop(left);
    assert!(Lab::open("test-crash").unwrap().nodes()[0].docker(&["version"]).is_ok(), "it goes on");
    Lab::down("test-crash").unwrap();
    assert!(!std::path::Path::new("/run/netns").join(namespace).exists());
    assert!(Lab::open("test-crash").is_err());
}
