//! Builds run where the operator wants them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

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

#[test]
fn a_push_whose_builder_dies_midway_says_so_and_can_be_repeated() {
    let cluster = Cluster::up("e2e-builder-dies");
    let leader = cluster.leader();
    let builder = cluster.nodes().iter().find(|node| node.name() != leader.name()).unwrap();
    cluster.app("shop", 2);
    cluster.nodes_tool(leader, &["label", builder.name(), LABEL]).ok();
    let recipe = cluster.working_copy("shop").join("Dockerfile");
    let served = || {
        let (status, body) = cluster.get("shop", leader);
        assert_eq!(status, "200", "{body}");
        body.split_whitespace().last().unwrap().to_owned()
    };
    let release = served();
    // A build that does not end by itself.
    fs::write(&recipe, "FROM python:3.11-slim-bookworm\nRUN echo under way && sleep 600\n").unwrap();

    let mut git = cluster.push_command("shop", leader, "second").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(git.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    // The step's output, not the step itself, which is told before it runs.
    while !said.last().is_some_and(|line: &String| line.contains("under way") && !line.contains("RUN")) {
        said.push(lines.next().unwrap_or_else(|| panic!("the build never ran: {said:#?}")));
    }
    builder.kill();
    said.extend(lines);
    assert!(!git.wait().unwrap().success(), "{said:#?}");
    let end = said.join("\n");
    assert!(end.contains(builder.name()) && end.contains("push again"), "{end}");

    assert_eq!(served(), release, "what served goes on");
    fs::remove_file(recipe).unwrap();
    cluster.push("shop", leader, "third").ok().says("deployed");
    cluster.wait_for("shop", 2, |node| node != builder.name());
}

/// The images of the app that were built here. What was pulled to run here goes by its digest alone, and has no tag.
fn built(node: &Node) -> usize {
    let listed = node.docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).unwrap();
    listed.lines().filter(|image| image.contains("/shop:build-")).count()
}
