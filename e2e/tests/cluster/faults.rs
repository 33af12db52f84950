//! Something dies, and nobody should notice.

use ambo_e2e::wait_until;

use crate::cluster::{Cluster, assert_served};

/// Connections of one load.
const CONNECTIONS: u64 = 8;

#[test]
fn an_app_is_on_every_node_and_goes_on_when_one_dies() {
    let cluster = Cluster::up("e2e-node");
    cluster.app("shop", 3);
    assert_eq!(cluster.wait_for("shop", 3, |_| true).len(), 3, "one on each node while all have room");
    for node in cluster.nodes() {
        let (status, body) = cluster.get("shop", node);
        assert_eq!(status, "200", "through {}: {body}", node.name());
    }
    let loads = ["n1", "n2"].map(|name| cluster.load("shop", cluster.node(name)));

    let dead = cluster.node("n3");
    dead.kill();
    cluster.wait_for("shop", 3, |node| node != "n3");
    for report in loads.map(ambo_e2e::Load::stop) {
        // A response of which the dead instance had sent a part is the only one that cannot be had again.
        assert_served(&report, CONNECTIONS);
    }
    let degraded = cluster.platform(cluster.node("n1"), &["status"]);
    assert_eq!(degraded.code, 1, "{degraded}");
    assert!(degraded.stdout.contains("down") && degraded.stderr.contains("start it again"), "{degraded}");

    dead.start().unwrap();
    wait_until("all nodes are healthy again", || {
        (cluster.platform(cluster.node("n1"), &["status"]).code == 0).then_some(())
    });
    assert_eq!(cluster.get("shop", dead).0, "200", "through the node that is back");
}

#[test]
fn a_controller_that_dies_is_replaced_and_pushes_go_on() {
    let cluster = Cluster::up("e2e-controller");
    cluster.app("shop", 2);
    let loads = cluster.nodes().iter().map(|node| cluster.load("shop", node)).collect::<Vec<_>>();

    let leader = cluster.leader();
    cluster.controller_kill(leader);
    let other = cluster.nodes().iter().find(|node| node.name() != leader.name()).unwrap();
    // A failover is a pause of this request, not an error.
    cluster.ambo_at(other, &["apps"]).ok().says("shop");
    cluster.push("shop", other, "second").ok().says("deployed");

    for report in loads.into_iter().map(ambo_e2e::Load::stop) {
        assert_served(&report, 0);
    }
}
