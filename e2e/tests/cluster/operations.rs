//! What operators do with a platform that people use.

use ambo_e2e::wait_until;

use crate::cluster::{Cluster, assert_served};

#[test]
fn tags_choose_the_nodes_that_an_app_runs_on_and_moving_it_fails_no_request() {
    let cluster = Cluster::up("e2e-tags");
    cluster.app("shop", 2);
    let refused = cluster.ambo(&["tags", "set", "web", "disk=ssd", "-a", "shop"]).failed(2);
    assert!(refused.stderr.contains("no node carries disk=ssd"), "{refused}");
    cluster.nodes_tool(cluster.node("n1"), &["label", "n3", "disk=ssd"]).ok();
    let load = cluster.load("shop", cluster.node("n1"));
    cluster.ambo(&["tags", "set", "web", "disk=ssd", "-a", "shop"]).ok().says("disk=ssd");
    cluster.wait_for("shop", 2, |node| node == "n3");
    cluster.ambo(&["tags", "unset", "web", "disk", "-a", "shop"]).ok();
    let spread = || cluster.wait_for("shop", 2, |_| true).len();
    wait_until("it is spread again", || (spread() == 2).then_some(()));
    assert_served(&load.stop(), 0);
}

#[test]
fn an_upgrade_goes_from_node_to_node_and_fails_no_request() {
    let cluster = Cluster::up("e2e-upgrade");
    cluster.app("shop", 2);
    let newer = "ambo:newer";
    for node in cluster.nodes() {
        let id = node.docker(&["create", ambo_lab::platform::IMAGE]).unwrap();
        node.docker(&["commit", "--change", "LABEL newer=yes", id.trim(), newer]).unwrap();
    }
    let loads = cluster.nodes().iter().map(|node| cluster.load("shop", node)).collect::<Vec<_>>();
    cluster.platform(cluster.node("n1"), &["upgrade", "--image", newer]).ok();
    for report in loads.into_iter().map(ambo_e2e::Load::stop) {
        assert_served(&report, 0);
    }

    let broken = "ambo:broken";
    for node in cluster.nodes() {
        node.docker(&["run", "--name", "broken", newer, "rm", "/usr/local/bin/ambod"]).unwrap();
        node.docker(&["commit", "broken", broken]).unwrap();
    }
    let went_back = cluster.platform(cluster.node("n1"), &["upgrade", "--image", broken]).failed(1);
    assert!(went_back.stderr.contains("went back"), "{went_back}");
    cluster.platform(cluster.node("n1"), &["status"]).ok().says(newer);
    assert_eq!(cluster.get("shop", cluster.node("n2")).0, "200");
}
