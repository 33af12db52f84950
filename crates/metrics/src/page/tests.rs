//! A page of two nodes, of which one does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use ambo_model::{
    AppId, AppName, ByteSize, InstanceId, InstanceUsage, ProcessTally, ProcessType, ReleaseVersion, WorkloadId,
};

use super::*;
use crate::machine::{CpuTimes, MachineSample};
use crate::requests::{Request, RequestCounts};
use crate::sample::RouterSample;

fn page() -> Page {
    let (app, name) = (AppId::new(), AppName::parse("shop").unwrap());
    let process = ProcessTally { wanted: 2, instances: BTreeMap::from([("up", 1), ("crashed", 1)]) };
    let tally = AppTally {
        id: app,
        name: name.clone(),
        serving: Some(ReleaseVersion(7)),
        processes: BTreeMap::from([(ProcessType::web(), process)]),
    };
    let sample = NodeSample { machine: machine(), router: Some(router(app)), instances: Some(vec![usage(app, name)]) };
    Page {
        version: "1.2.3".to_owned(),
        apps: Arc::new(vec![tally]),
        nodes: Arc::new(vec![
            NodeReport { node: "n1".to_owned(), sample: Some(sample) },
            NodeReport { node: "n2".to_owned(), sample: None },
        ]),
    }
}

fn machine() -> MachineSample {
    MachineSample {
        cpu_count: 2,
        cpu: CpuTimes { user: 1.5, idle: 98.25, ..CpuTimes::default() },
        load: 0.42,
        memory: ByteSize::gib(4),
        memory_available: ByteSize::gib(3),
        disk: ByteSize::gib(40),
        disk_available: ByteSize::gib(30),
    }
}

fn router(app: AppId) -> RouterSample {
    let counts = RequestCounts::default();
    let request =
        Request { app: Some(app), status: 200, error: None, duration: Duration::from_millis(20), bytes: 1000 };
    counts.add(request);
    counts.add(Request { status: 503, error: Some("H12"), duration: Duration::from_secs(31), ..request });
    counts.add(Request { app: None, status: 404, ..request });
    // Of an app that was destroyed.
    counts.add(Request { app: Some(AppId::new()), ..request });
    RouterSample { requests: counts.sample(), uncounted: 3 }
}

fn usage(app: AppId, app_name: AppName) -> InstanceUsage {
    InstanceUsage {
        id: InstanceId::new("0123456789abcdef0123"),
        workload: WorkloadId { app, release: ReleaseVersion(7), process: ProcessType::web(), generation: 1 },
        app_name,
        index: 1,
        cpu: Duration::from_millis(2500),
        memory: ByteSize::mib(64),
        memory_max: ByteSize::mib(512),
        received: ByteSize::kib(1),
        sent: ByteSize::kib(2),
    }
}

#[test]
fn a_page_tells_what_is_and_which_node_is_silent() {
    insta::assert_snapshot!(page().text());
}

#[test]
fn every_line_is_told_once() {
    let text = page().text();
    let mut names: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|x| x.0)
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
