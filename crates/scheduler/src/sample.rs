//! Workloads and instances for the tests of this crate.

use std::collections::BTreeMap;

use ambo_model::{
    AppId, AppName, Command, ImageReference, Instance, InstanceId, InstanceState, Limits, ProcessType, ReleaseVersion,
    Tags, WorkloadId,
};
use proptest::prelude::*;

use crate::workload::WorkloadSpec;

const APP: &str = "0192f0c1-0000-7000-8000-000000000001";

fn workload() -> WorkloadId {
    let app: AppId = APP.parse().unwrap();
    WorkloadId { app, release: ReleaseVersion(1), process: ProcessType::web(), generation: 0 }
}

pub(crate) fn spec(count: u32) -> WorkloadSpec {
    WorkloadSpec {
        id: workload(),
        app_name: AppName::parse("myapp").unwrap(),
        image: ImageReference::parse("myapp").unwrap(),
        command: Command::Image,
        env: BTreeMap::new(),
        limits: Limits::default(),
        tags: Tags::default(),
        port: 8080,
        count,
    }
}

pub(crate) fn instance(id: &str, index: u32, state: InstanceState) -> Instance {
    Instance {
        id: InstanceId::new(id),
        workload: workload(),
        app_name: AppName::parse("myapp").unwrap(),
        index,
        state,
        endpoint: None,
        node: "node".to_owned(),
        restarts: 0,
        started_at: None,
    }
}

/// At most `max` instances in any state, under any index.
pub(crate) fn states(max: usize) -> impl Strategy<Value = Vec<(u32, InstanceState)>> {
    let state = prop_oneof![
        Just(InstanceState::Starting),
        Just(InstanceState::Running),
        Just(InstanceState::Crashed { exit_code: Some(1) }),
        Just(InstanceState::Exited { exit_code: None }),
        Just(InstanceState::Stopping),
    ];
    prop::collection::vec((1_u32..30, state), 0..max)
}

pub(crate) fn instances(states: Vec<(u32, InstanceState)>) -> Vec<Instance> {
    let numbered = states.into_iter().enumerate();
    numbered.map(|(number, (index, state))| instance(&format!("i{number}"), index, state)).collect()
}
