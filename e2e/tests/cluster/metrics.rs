//! What every node measures, in one place.

use ambo_e2e::wait_until;

use crate::cluster::Cluster;

/// Requests through each node's router.
const REQUESTS: usize = 5;

/// The value of a metric, by the beginning of its line.
fn value(page: &str, metric: &str) -> Option<f64> {
    let line = page.lines().find(|line| line.starts_with(metric))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn every_node_is_measured_in_one_place_and_counts_go_on_when_controllers_and_nodes_die() {
    let cluster = Cluster::up("e2e-metrics");
    cluster.app("shop", 3);
    for node in cluster.nodes() {
        for _ in 0..REQUESTS {
            assert_eq!(cluster.get("shop", node).0, "200");
        }
    }
    let leader = cluster.leader();
    let requests = |node: &str| format!(r#"ambo_router_requests_total{{node="{node}",app="shop",status="2xx"}}"#);
    let counted = |page: &str| {
        cluster.nodes().iter().all(|node| value(page, &requests(node.name())).is_some_and(|count| count >= 5.0))
    };
    wait_until("every router's requests are counted", || {
        let page = cluster.metrics(leader)?;
        let up = |node: &str| value(&page, &format!(r#"ambo_node_up{{node="{node}"}}"#)) == Some(1.0);
        assert!(cluster.nodes().iter().all(|node| up(node.name())), "{page}");
        let used = |node: &str| {
            page.lines().any(|line| {
                line.starts_with(&format!(r#"ambo_instance_memory_bytes{{node="{node}",app="shop",process="web""#))
            })
        };
        (counted(&page) && cluster.nodes().iter().all(|node| used(node.name()))).then_some(())
    });

    cluster.controller_kill(leader);
    let other = cluster.nodes().iter().find(|node| node.name() != leader.name()).unwrap();
    wait_until("the next leader tells the same counts", || counted(&cluster.metrics(other)?).then_some(()));

    let dead = cluster.nodes().iter().find(|node| node.name() != cluster.leader().name()).unwrap();
    dead.kill();
    let leader = cluster.leader();
    wait_until("the node that is gone is told as such, and the others are measured", || {
        let page = cluster.metrics(leader)?;
        let nodes = cluster.nodes().iter();
        let is_right = |node: &str| {
            let up = value(&page, &format!(r#"ambo_node_up{{node="{node}"}}"#))?;
            Some(up == f64::from(u8::from(node != dead.name())))
        };
        nodes.map(|node| is_right(node.name())).all(|right| right == Some(true)).then_some(())
    });
    dead.start().unwrap();
}
