//! Measures what a large platform costs: `scale control|router NODES APPS INSTANCES`. See docs/scale.md.
//!
//! `control` runs the real control plane over stand-ins for store and engine, with a link to a router on every node;
//! `router` puts a table of that size into a real router. A process each, so that memory is told apart.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod control;
mod process;
mod router;

use ambo_testkit::simulation::scale::Size;

/// As in `ambod`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const USAGE: &str = "usage: scale control|router NODES APPS INSTANCES";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, nodes, apps, instances] = arguments.as_slice() else { return Err(USAGE.into()) };
    let size = Size { nodes: nodes.parse()?, apps: apps.parse()?, instances: instances.parse()? };
    println!("{part}: {} nodes, {} apps, {} instances", size.nodes, size.apps, size.instances);
    match part.as_str() {
        "control" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
            runtime.block_on(control::measure(size));
            Ok(())
        }
        "router" => router::measure(size),
        _ => Err(USAGE.into()),
    }
}
