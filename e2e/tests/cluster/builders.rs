//! Builds run where the operator wants them.

use ambo_e2e::wait_until;
use ambo_lab::Node;

use crate::cluster::Cluster;

/// The label of nodes that build, and how it is taken away.
const LABEL: &str = "ambo.builder=true";
const NO_LABEL: &str = "ambo.builder=";

#[test]
fn a_push_is_built_on_the_node_that_is_labelled_for_it_and_elsewhere_when_that_is_gone() {
    let cluster = Cluster::up("e2e-builders");
    let leader = cluster.leader();
    let builder = cluster.nodes().iter().find(|node| node.name() != leader.name()).unwrap();
    let label = |label: &str| cluster.nodes_tool(leader, &["label", builder.name(), label]).ok();
    let building = format!("Building on {}", builder.name());
    cluster.ambo(&["create", "shop", "--no-remote"]).ok();

    label(LABEL);
    cluster.nodes_tool(leader, &["info", builder.name()]).ok().says(LABEL);
    cluster.push("shop", leader, "first").ok().says(&building).says("deployed");
    assert_eq!((built(builder), built(leader)), (1, 0));

    label(NO_LABEL);
    let pushed = cluster.push("shop", leader, "second").ok().says("deployed");
    assert!(!pushed.stderr.contains("Building on"), "{pushed}");
    assert_eq!((built(builder), built(leader)), (1, 1));

    label(LABEL);
    builder.kill();
    wait_until("its death is known", || {
        let listed = cluster.nodes_tool(leader, &["list"]).stdout;
        listed.lines().any(|line| line.starts_with(builder.name()) && line.contains("down")).then_some(())
    });
    let pushed = cluster.push("shop", leader, "third").ok().says("deployed");
    assert!(!pushed.stderr.contains("Building on"), "{pushed}");
    let others = cluster.nodes().iter().filter(|node| node.name() != builder.name());
    assert_eq!(others.map(built).sum::<usize>(), 2, "whoever leads now");
    builder.start().unwrap();
}

/// The images of the app that were built here. What was pulled to run here goes by its digest alone, and has no tag.
fn built(node: &Node) -> usize {
    let listed = node.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).unwrap();
    listed.lines().filter(|image| image.contains("/shop:build-")).count()
}
