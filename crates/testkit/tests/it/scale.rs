//! A platform with many of everything. What it costs is measured by `make scale`; here it only has to be right.

use std::time::Duration;

use ambo_testkit::simulation::scale::{Scale, Size};

const SMALL: Size = Size { nodes: 20, apps: 100, instances: 1_000 };
/// A tenth of the nodes.
const LOST: usize = 2;
/// Routes follow at the next look at the latest.
const CONVERGED_MAX: Duration = Duration::from_secs(30);
/// Bytes a second with which a router is told that its leader is there.
const BEAT_BYTES_MAX: u64 = 32;

#[tokio::test(start_paused = true)]
async fn a_platform_that_loses_nodes_is_whole_again_and_every_router_knows() {
    let mut platform = Scale::new(SMALL).await;
    platform.start(SMALL.nodes).await;
    platform.settle().await;
    assert_eq!(platform.nodes_lose(LOST), SMALL.instances * LOST / SMALL.nodes, "instances are spread evenly");
    assert!(!platform.complaints().is_empty());
    let lasted = platform.settle().await;
    assert!(lasted <= CONVERGED_MAX, "it took {lasted:?}");
    assert_eq!(platform.routers_in_step(), SMALL.nodes);
    platform.stop().await;
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_written_and_routers_hear_no_more_than_that_their_leader_is_there() {
    let mut platform = Scale::new(SMALL).await;
    platform.start(SMALL.nodes).await;
    platform.settle().await;
    tokio::time::sleep(CONVERGED_MAX).await;
    let (before, told) = (platform.traffic(), platform.router_bytes());
    tokio::time::sleep(CONVERGED_MAX).await;
    let rest = platform.traffic() - before;
    assert_eq!((rest.commits, rest.ensures), (0, 0), "{rest:?}");
    let beats = SMALL.nodes as u64 * CONVERGED_MAX.as_secs() * BEAT_BYTES_MAX;
    assert!(platform.router_bytes() - told <= beats, "{} bytes", platform.router_bytes() - told);
    platform.stop().await;
}
