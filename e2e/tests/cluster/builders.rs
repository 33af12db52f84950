//! Builds run where the operator wants them.

use ambo_e2e::wait_until;

use crate::cluster::Cluster;

#[test]
fn a_push_is_built_on_the_node_that_is_labelled_for_it_and_elsewhere_when_that_is_gone() {
    let cluster = Cluster::up("e2e-builders");
    let leader = cluster.leader().name().to_owned();
    let builder = cluster.nodes().iter().map(|node| node.name()).find(|name| *name != leader).unwrap().to_owned();
    cluster.nodes_tool(cluster.node(&leader), &["label", &builder, "ambo.builder=true"]).ok();
    cluster.ambo(&["create", "shop", "--no-remote"]).ok();
    let through = cluster.node(&leader);
    cluster.push("shop", through, "first").ok().says(&format!("Building on {builder}")).says("deployed");
    let images = |name: &str| cluster.node(name).docker(&["images", "--format", "{{.Repository}}"]).unwrap();
    assert!(images(&builder).contains("/shop"), "it was built here");

    let dead = cluster.node(&builder);
    dead.kill();
    wait_until("its death is known", || {
        let listed = cluster.nodes_tool(through, &["list"]).stdout;
        listed.lines().any(|line| line.starts_with(&builder) && line.contains("down")).then_some(())
    });
    let pushed = cluster.push("shop", through, "second").ok().says("deployed");
    assert!(!pushed.stderr.contains("Building on"), "{pushed}");
    dead.start().unwrap();
}
