//! The control plane: started, at rest, and after the loss of a part of the nodes.

use std::time::Duration;

use ambo_testkit::simulation::scale::{Scale, Size, Traffic};

use crate::process::{Stopwatch, resident_mib};

/// How long it is watched at rest.
const REST: Duration = Duration::from_secs(60);
/// One in so many nodes is lost.
const LOST_ONE_IN: usize = 20;

pub(crate) async fn measure(size: Size) {
    let mut platform = Scale::new(size).await;
    println!("stand-ins: {} MiB", resident_mib().0);

    let begun = Moment::now(&platform);
    let since = tokio::time::Instant::now();
    platform.start(size.nodes).await;
    platform.settle().await;
    begun.report(&platform, "taken over", since.elapsed());

    tokio::time::sleep(REST).await; // What follows a start is over.
    let begun = Moment::now(&platform);
    tokio::time::sleep(REST).await;
    begun.report(&platform, "at rest", REST);

    let begun = Moment::now(&platform);
    let lost = platform.nodes_lose(size.nodes.div_ceil(LOST_ONE_IN));
    println!("lost: {} nodes, {lost} instances", size.nodes.div_ceil(LOST_ONE_IN));
    let lasted = platform.settle().await;
    begun.report(&platform, "whole again", lasted);
    println!("routers in step: {} of {}", platform.routers_in_step(), size.nodes);
}

struct Moment {
    watch: Stopwatch,
    traffic: Traffic,
    router_bytes: u64,
}

impl Moment {
    fn now(platform: &Scale) -> Self {
        Self { watch: Stopwatch::start(), traffic: platform.traffic(), router_bytes: platform.router_bytes() }
    }

    /// What has come since.
    fn report(&self, platform: &Scale, what: &str, lasted: Duration) {
        let traffic = platform.traffic() - self.traffic;
        let (cpu, bytes) = (self.watch.cpu(), platform.router_bytes() - self.router_bytes);
        let (resident, highest) = resident_mib();
        println!("{what}: {lasted:.1?} of its time");
        println!("  CPU {:.2?}, and {:.2?} of the stand-ins", cpu.saturating_sub(traffic.stand_ins), traffic.stand_ins);
        println!("  memory {resident} MiB, at most {highest} MiB until now");
        println!("  to the routers {:.1} MB in {} tables", mb(bytes), traffic.tables);
        println!(
            "  store: {} gets, {} pages, {} entries, {:.1} MB read",
            traffic.gets,
            traffic.pages,
            traffic.entries_read,
            mb(traffic.bytes_read)
        );
        println!(
            "  store: {} commits, {:.1} MB written, {} watches",
            traffic.commits,
            mb(traffic.bytes_written),
            traffic.watches
        );
        println!(
            "  engine: {} observations of {} instances, {} starts, {} health checks",
            traffic.observations, traffic.instances_observed, traffic.ensures, traffic.dials
        );
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
