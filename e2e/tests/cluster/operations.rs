//! What operators do with a platform that people use.

use crate::cluster::{Cluster, assert_served};

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
