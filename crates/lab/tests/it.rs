//! The lab itself. These need root, `docker.io` and `etcd-server`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ambo_lab::{Lab, LabSettings, Node};

const DEADLINE: Duration = Duration::from_secs(60);
const IMAGE: &str = "python:3.11-slim-bookworm";

fn lab(name: &str, nodes: usize) -> Lab {
    Lab::up(LabSettings { name: name.to_owned(), nodes, ..LabSettings::default() }).unwrap()
}

#[allow(clippy::disallowed_methods, reason = "between two looks at another program")]
fn wait_until(what: &str, mut state: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !state() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a machine's manager is heard at another.
fn hears(one: &Node, other: &Node) -> bool {
    let connect = format!("exec 3<>/dev/tcp/{}/2377", other.address());
    one.command().args(["timeout", "1", "bash", "-c", &connect]).output().unwrap().status.success()
}

/// The same from inside of a container.
fn container_hears(one: &Node, other: &Node) -> bool {
    let connect = format!("import socket; socket.create_connection(('{}', 2377), 1)", other.address());
    one.docker(&["exec", "idle", "python3", "-c", &connect]).is_ok()
}

fn run_idle(node: &Node) {
    node.docker(&["run", "-d", "--name", "idle", "--restart", "always", IMAGE, "sleep", "infinity"]).unwrap();
}

fn is_running(node: &Node) -> bool {
    node.docker(&["inspect", "-f", "{{.State.Running}}", "idle"]).is_ok_and(|said| said.trim() == "true")
}

fn ready(node: &Node) -> usize {
    let listed = node.docker(&["node", "ls", "--format", "{{.Status}}"]).unwrap_or_default();
    listed.lines().filter(|status| *status == "Ready").count()
}

#[test]
fn machines_make_a_swarm_that_notices_who_dies_and_who_cannot_be_heard() {
    let lab = lab("test-swarm", 3);
    lab.load(&[IMAGE]).unwrap();
    lab.swarm(3).unwrap();
    let [first, second, third] = lab.nodes() else { panic!("three machines") };
    first.docker(&["swarm", "update", "--dispatcher-heartbeat", "2s"]).unwrap();
    wait_until("three are ready", || ready(first) == 3);
    let names = first.docker(&["node", "ls", "--format", "{{.Hostname}}"]).unwrap();
    assert!(["n1", "n2", "n3"].iter().all(|name| names.contains(name)), "each has its own name: {names}");

    third.kill();
    assert_eq!(third.belongings().processes(), []);
    wait_until("the others notice", || ready(first) == 2);
    third.start().unwrap();
    wait_until("it is back", || ready(third) == 3);

    run_idle(first);
    lab.partition(first, second).unwrap();
    assert!(!hears(first, second) && !hears(second, first));
    assert!(!container_hears(first, second), "containers are on their machine's side");
    assert!(hears(first, third) && container_hears(first, third));
    second.kill();
    second.start().unwrap();
    wait_until("the third hears it", || hears(third, second));
    assert!(!hears(first, second) && !hears(second, first), "a partition outlives a machine's restart");
    lab.heal();
    wait_until("they hear each other", || hears(first, second) && hears(second, first));
    assert!(container_hears(first, second));
}

#[test]
fn a_machine_that_dies_forgets_its_processes_and_keeps_its_disk() {
    let lab = lab("test-power", 1);
    let node = &lab.nodes()[0];
    node.load(&[IMAGE]).unwrap();
    run_idle(node);
    // Who only looks at a machine is not of it.
    let log = node.directory().join("log");
    let mut looker = Command::new("tail").arg("-f").arg(log).stdout(Stdio::null()).spawn().unwrap();

    node.kill();
    assert_eq!(node.belongings().processes(), []);
    assert!(!Path::new("/run/netns").join(node.namespace()).exists());
    assert_eq!(looker.try_wait().unwrap(), None, "a stranger was killed");
    looker.kill().unwrap();
    looker.wait().unwrap();

    node.start().unwrap();
    wait_until("its container is back", || is_running(node));
}

#[test]
fn a_paused_machine_is_silent_and_goes_on_where_it_was() {
    let lab = lab("test-pause", 1);
    let node = &lab.nodes()[0];
    node.load(&[IMAGE]).unwrap();
    run_idle(node);
    let processes = node.belongings().processes();
    let engine = |words: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["2", "docker", "--host", &node.docker_host()]).args(words).output().unwrap().status.success()
    };
    assert!(engine(&["version"]));
    node.pause();
    assert!(!engine(&["version"]), "it answers");
    node.resume();
    wait_until("it answers", || engine(&["version"]));
    assert!(is_running(node));
    let now = node.belongings().processes();
    assert!(processes.iter().all(|before| now.iter().any(|process| process.id == before.id)), "something has ended");
}

#[test]
fn a_cable_that_is_pulled_for_a_moment_leaves_connections_as_they_were() {
    let lab = lab("test-blip", 2);
    lab.swarm(1).unwrap();
    let [manager, worker] = lab.nodes() else { panic!("two machines") };
    assert!(hears(worker, manager));
    worker.disconnect().unwrap();
    assert!(!hears(worker, manager));
    worker.connect().unwrap();
    wait_until("it is heard", || hears(worker, manager));
    worker.blip(Duration::from_secs(1)).unwrap();
    wait_until("it is heard", || hears(worker, manager));
    assert_eq!(ready(manager), 2, "a moment is no death");
}

#[test]
fn an_etcd_survives_one_of_three_machines_which_comes_back_with_its_member() {
    let mut lab = lab("test-etcd", 3);
    lab.etcd(3).unwrap();
    let etcdctl = |node: &Node, words: &[&str]| {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &node.etcd_endpoint().unwrap()]).args(words);
        let output = command.stderr(Stdio::null()).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let [first, second, third] = lab.nodes() else { panic!("three machines") };
    assert!(etcdctl(first, &["put", "colour", "blue"]).is_some());
    third.kill();
    wait_until("the others take a write", || etcdctl(second, &["put", "colour", "green"]).is_some());
    third.start().unwrap();
    let is_green = |said: String| said.ends_with("green\n");
    wait_until("it knows what it missed", || etcdctl(third, &["get", "colour"]).is_some_and(is_green));
    assert!(
        Lab::open("test-etcd").unwrap().nodes()[2].etcd_endpoint().is_some(),
        "whoever finds the lab finds it, too"
    );
}

#[test]
fn what_a_crash_has_left_is_removed_by_the_next() {
    let (neighbour, left) = (lab("test-neighbour", 1), lab("test-crash", 1).keep());
    left.nodes()[0].load(&[IMAGE]).unwrap();
    run_idle(&left.nodes()[0]);
    let (namespace, directory) = (left.nodes()[0].namespace(), left.directory().to_owned());
    let belongings = left.nodes()[0].belongings();
    drop(left);
    assert!(is_running(&Lab::open("test-crash").unwrap().nodes()[0]), "it goes on");

    drop(lab("test-crash", 1));
    assert_eq!(belongings.processes(), []);
    assert!(!directory.exists());
    assert!(!Path::new("/run/netns").join(&namespace).exists());
    let bridge = namespace.trim_end_matches("n0");
    assert!(!Path::new("/sys/class/net").join(bridge).exists());
    let rules = Command::new("iptables-save").output().unwrap().stdout;
    assert!(!String::from_utf8(rules).unwrap().contains(bridge), "rules are left");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&namespace) && !mounts.contains(directory.to_str().unwrap()), "mounts are left");
    assert!(Lab::open("test-crash").is_err());
    assert!(neighbour.nodes()[0].docker(&["version"]).is_ok(), "a lab beside it is spared");
}

#[test]
fn a_name_that_is_no_file_name_is_refused() {
    for name in ["", ".images", "a/b", "..", "Upper", "much-too-long-for-the-path-of-a-socket"] {
        assert!(Lab::up(LabSettings { name: name.to_owned(), nodes: 1, ..LabSettings::default() }).is_err(), "{name}");
    }
}

#[test]
fn a_machine_with_a_paused_container_can_be_cut_off_and_come_back() {
    let lab = lab("test-frozen", 1);
    lab.load(&[IMAGE]).unwrap();
    let [node] = lab.nodes() else { panic!("one machine") };
    run_idle(node);
    node.docker(&["pause", "idle"]).unwrap();
    node.kill();
    node.start().unwrap();
    wait_until("its container runs again", || is_running(node));
}

#[test]
fn a_full_disk_of_one_machine_is_nobody_elses() {
    let settings = LabSettings { name: "test-disk".to_owned(), nodes: 1, disk_mib: Some(64), ..LabSettings::default() };
    let lab = Lab::up(settings).unwrap();
    let [node] = lab.nodes() else { panic!("one machine") };
    lab.load(&[IMAGE]).unwrap();
    let shell = |script: &str| node.docker(&["run", "--rm", "-v", "/var/lib/ambo:/d", IMAGE, "sh", "-c", script]);
    shell("echo kept > /d/file").unwrap();
    node.disk_fill().unwrap();
    let refused = shell("head -c 65536 /dev/zero > /d/more").unwrap_err().to_string();
    assert!(refused.contains("No space left"), "{refused}");
    node.disk_free().unwrap();
    shell("head -c 65536 /dev/zero > /d/more").unwrap();
    node.disk_slow().unwrap();
    node.disk_hasten().unwrap();
    node.kill();
    node.start().unwrap();
    assert_eq!(shell("cat /d/file").unwrap(), "kept\n", "a disk outlives a power cut");
}
