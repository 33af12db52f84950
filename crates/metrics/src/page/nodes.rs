//! The nodes' machines.

use std::fmt;

use prometheus_client::registry::Unit;

use super::NodeReport;
use super::families::{Families, Family, Labels, value};
use crate::machine::{CpuTimes, MachineSample};
use crate::sample::NodeSample;

const UP: Family = Family { name: "node_up", help: "Whether the node answered, as 1 or 0", unit: None };
const ENGINE_UP: Family =
    Family { name: "node_engine_up", help: "Whether the node's container engine answered, as 1 or 0", unit: None };
const ROUTER_UP: Family =
    Family { name: "node_router_up", help: "Whether the node's router answered, as 1 or 0", unit: None };
const CPUS: Family = Family { name: "node_cpus", help: "Cores of the node", unit: None };
const CPU: Family = Family {
    name: "node_cpu",
    help: "Time of all cores of the node since it was started, by what they did",
    unit: Some(&Unit::Seconds),
};
const LOAD: Family =
    Family { name: "node_load1", help: "Processes that ran or waited to, on average over a minute", unit: None };
const MEMORY: Family = Family { name: "node_memory", help: "Memory of the node", unit: Some(&Unit::Bytes) };
const MEMORY_AVAILABLE: Family = Family {
    name: "node_memory_available",
    help: "Memory that programs could have without swapping",
    unit: Some(&Unit::Bytes),
};
const DISK: Family = Family {
    name: "node_disk",
    help: "The file system that holds the platform's data, on nodes of a cluster its images and containers",
    unit: Some(&Unit::Bytes),
};
const DISK_AVAILABLE: Family =
    Family { name: "node_disk_available", help: "What is free of that file system", unit: Some(&Unit::Bytes) };

pub(super) fn encode(nodes: &[NodeReport], families: &mut Families<'_>) -> fmt::Result {
    families.gauges(UP, nodes.iter().map(|report| (labels(report), flag(report.sample.is_some()))))?;
    families.gauges(ENGINE_UP, answers(nodes, |sample| sample.instances.is_some()))?;
    families.gauges(ROUTER_UP, answers(nodes, |sample| sample.router.is_some()))?;
    families.gauges(CPUS, machines(nodes, |machine| f64::from(machine.cpu_count)))?;
    families.counters(CPU, cpu(nodes))?;
    families.gauges(LOAD, machines(nodes, |machine| machine.load))?;
    families.gauges(MEMORY, machines(nodes, |machine| value(machine.memory.as_u64())))?;
    families.gauges(MEMORY_AVAILABLE, machines(nodes, |machine| value(machine.memory_available.as_u64())))?;
    families.gauges(DISK, machines(nodes, |machine| value(machine.disk.as_u64())))?;
    families.gauges(DISK_AVAILABLE, machines(nodes, |machine| value(machine.disk_available.as_u64())))
}

fn labels(report: &NodeReport) -> Labels {
    vec![("node", report.node.clone())]
}

fn flag(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

fn answers(nodes: &[NodeReport], answers: fn(&NodeSample) -> bool) -> impl Iterator<Item = (Labels, f64)> {
    nodes.iter().map(move |report| (labels(report), flag(report.sample.as_ref().is_some_and(answers))))
}

fn machines(nodes: &[NodeReport], measure: fn(&MachineSample) -> f64) -> impl Iterator<Item = (Labels, f64)> {
    nodes.iter().filter_map(move |report| Some((labels(report), measure(&report.sample.as_ref()?.machine))))
}

fn cpu(nodes: &[NodeReport]) -> impl Iterator<Item = (Labels, f64)> {
    let known = nodes.iter().filter_map(|report| Some((report, report.sample.as_ref()?.machine.cpu)));
    known.flat_map(|(report, times)| {
        modes(times).map(|(mode, seconds)| {
            let mut labels = labels(report);
            labels.push(("mode", mode.to_owned()));
            (labels, seconds)
        })
    })
}

/// In the words of Linux, as Prometheus' own exporter has them.
fn modes(times: CpuTimes) -> [(&'static str, f64); 8] {
    let CpuTimes { user, nice, system, idle, iowait, irq, softirq, steal } = times;
    [
        ("user", user),
        ("nice", nice),
        ("system", system),
        ("idle", idle),
        ("iowait", iowait),
        ("irq", irq),
        ("softirq", softirq),
        ("steal", steal),
    ]
}
