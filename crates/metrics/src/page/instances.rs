//! What instances use of their nodes.

use std::fmt;

use ambo_model::InstanceUsage;
use prometheus_client::registry::Unit;

use super::NodeReport;
use super::families::{Families, Family, Labels, value};

/// Characters of an id that are shown, as engines do: no two of a node's instances share them.
const ID_CHARS: usize = 12;

const CPU: Family =
    Family { name: "instance_cpu", help: "Time that the instance was on a core", unit: Some(&Unit::Seconds) };
const MEMORY: Family = Family {
    name: "instance_memory",
    help: "Memory that the instance holds, less files that the kernel would give up first",
    unit: Some(&Unit::Bytes),
};
const MEMORY_LIMIT: Family = Family {
    name: "instance_memory_limit",
    help: "The most memory that the instance may hold; the node's where it has no limit",
    unit: Some(&Unit::Bytes),
};
const RECEIVED: Family = Family {
    name: "instance_network_received",
    help: "What the instance has received over its networks",
    unit: Some(&Unit::Bytes),
};
const SENT: Family = Family {
    name: "instance_network_sent",
    help: "What the instance has sent over its networks",
    unit: Some(&Unit::Bytes),
};

pub(super) fn encode(nodes: &[NodeReport], families: &mut Families<'_>) -> fmt::Result {
    families.counters(CPU, instances(nodes, |usage| usage.cpu.as_secs_f64()))?;
    families.gauges(MEMORY, instances(nodes, |usage| value(usage.memory.as_u64())))?;
    families.gauges(MEMORY_LIMIT, instances(nodes, |usage| value(usage.memory_max.as_u64())))?;
    families.counters(RECEIVED, instances(nodes, |usage| value(usage.received.as_u64())))?;
    families.counters(SENT, instances(nodes, |usage| value(usage.sent.as_u64())))
}

fn instances(nodes: &[NodeReport], measure: fn(&InstanceUsage) -> f64) -> impl Iterator<Item = (Labels, f64)> {
    nodes.iter().flat_map(move |report| {
        let known = report.sample.iter().filter_map(|sample| sample.instances.as_deref()).flatten();
        known.map(move |usage| (labels(&report.node, usage), measure(usage)))
    })
}

fn labels(node: &str, usage: &InstanceUsage) -> Labels {
    vec![
        ("node", node.to_owned()),
        ("app", usage.app_name.to_string()),
        ("process", usage.workload.process.to_string()),
        ("name", usage.name()),
        ("release", usage.workload.release.to_string()),
        ("id", usage.id.as_str().chars().take(ID_CHARS).collect()),
    ]
}
