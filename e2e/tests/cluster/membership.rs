//! Machines that are lost for good, and all of them at once.

use ambo_e2e::wait_until;
use ambo_lab::{Node, platform};

use crate::cluster::{Cluster, component};

#[test]
fn a_manager_that_is_lost_is_replaced_and_the_next_may_be_lost_too() {
    let cluster = Cluster::of("e2e-lost", 4, &["node-lost-seconds=5"]);
    let worker = cluster.node("n4");
    join_by_hand(&cluster, worker);
    cluster.app("shop", 4);
    assert_eq!(cluster.get("shop", worker).0, "200", "through a worker");
    assert_eq!(component(worker, "controller"), None);
    cluster.ambo_at(worker, &["apps"]).ok().says("shop");

    cluster.node("n3").kill();
    wait_until("the worker votes in its place", || {
        let votes = |name: &str| voters(cluster.node(name)).contains(&worker.address());
        (votes("n1") && votes("n2") && votes("n4")).then_some(())
    });
    assert!(!voters(cluster.node("n1")).contains(&cluster.node("n3").address()), "the lost one votes no more");

    // Of the first three one is left: this would have been the end.
    cluster.node("n2").kill();
    wait_until("the API answers", || (cluster.ambo_at(worker, &["apps"]).code == 0).then_some(()));
    cluster.push("shop", worker, "second").ok().says("deployed");
    assert_eq!(cluster.get("shop", worker).0, "200");

    cluster.node("n3").start().unwrap();
    wait_until("the one that came back takes the place of the second that was lost", || {
        let voters = voters(cluster.node("n1"));
        (voters.contains(&cluster.node("n3").address()) && !voters.contains(&cluster.node("n2").address()))
            .then_some(())
    });
}

#[test]
fn a_power_cut_of_every_machine_needs_nobody() {
    let cluster = Cluster::up("e2e-power");
    cluster.app("shop", 3);
    cluster.ambo(&["config", "set", "KEPT=yes", "-a", "shop"]).ok();
    cluster.nodes().iter().for_each(Node::kill);
    for node in cluster.nodes() {
        node.start().unwrap();
    }
    for node in cluster.nodes() {
        wait_until("every machine serves", || (cluster.get("shop", node).0 == "200").then_some(()));
    }
    wait_until("the platform is healthy", || {
        (cluster.platform(cluster.node("n1"), &["status"]).code == 0).then_some(())
    });
    cluster.wait_for("shop", 3, |_| true);
    cluster.ambo(&["config", "get", "KEPT", "-a", "shop"]).ok().says("yes");
    cluster.push("shop", cluster.node("n2"), "second").ok().says("deployed");
}

/// A machine leaves, and comes back as a new one does: with the token and a label.
fn join_by_hand(cluster: &Cluster, worker: &Node) {
    let manager = cluster.node("n1");
    worker.docker(&["swarm", "leave"]).unwrap();
    wait_until("the node is forgotten", || {
        (cluster.nodes_tool(manager, &["remove", worker.name()]).code == 0).then_some(())
    });
    let config = cluster.nodes_tool(manager, &["join-config", "--label", "zone=b"]).ok();
    assert!(config.stdout.contains("      zone=b\n"), "{config}");
    let token = config.stdout.split_whitespace().find(|word| word.starts_with("SWMTKN-")).expect("there is a token");
    let token = format!("AMBO_JOIN_TOKEN={token}");
    let join = ["run", "--rm", "--network", "host", "-v", "/var/run/docker.sock:/var/run/docker.sock"];
    let join = join.iter().copied().chain(["-v", "/var/lib/ambo:/var/lib/ambo", "-e", &token, platform::IMAGE]);
    let address = manager.address();
    worker.docker(&join.chain(["ambod", "join", &address, "--label", "zone=b"]).collect::<Vec<_>>()).unwrap();
    wait_until("it is a node, with its label", || {
        let info = cluster.nodes_tool(manager, &["info", worker.name()]);
        (info.stdout.contains("healthy") && info.stdout.contains("zone=b")).then_some(())
    });
}

/// Who votes, as a machine's keeper was last told; nothing while its member does not run.
fn voters(node: &Node) -> String {
    let of = |id: String| node.docker(&["exec", &id, "cat", "/var/lib/ambo/etcd/voters.json"]).ok();
    component(node, "etcd").and_then(of).unwrap_or_default()
}
