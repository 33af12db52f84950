//! The fake engine breaks as asked.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ambo_model::{
    AppId, AppName, Command, ImageReference, InstanceState, Limits, ProcessType, ReleaseVersion, Tags, WorkloadId,
};
use ambo_scheduler::fake::FakeEngine;
use ambo_scheduler::{Scheduler, SchedulerError, WorkloadSpec};

fn spec(count: u32) -> WorkloadSpec {
    WorkloadSpec {
        id: WorkloadId { app: AppId::new(), release: ReleaseVersion(1), process: ProcessType::web(), generation: 0 },
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

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_down_answers_nothing_and_its_instances_go_on() {
    let engine = FakeEngine::new();
    engine.workload_ensure(&spec(2)).await.unwrap();
    engine.down();
    assert!(matches!(engine.instances_observe().await, Err(SchedulerError::EngineDown { .. })));
    assert!(matches!(engine.status().await, Err(SchedulerError::EngineDown { .. })));
    assert_eq!(engine.instances().len(), 2);
    engine.up();
    assert_eq!(engine.instances_observe().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn failed_starts_leave_what_has_started() {
    let engine = FakeEngine::new();
    let spec = spec(3);
    engine.starts_fail(1, "no space left on device");
    assert!(matches!(engine.workload_ensure(&spec).await, Err(SchedulerError::Start { .. })));
    engine.workload_ensure(&spec).await.unwrap();
    assert_eq!(engine.instances().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn slow_starts_show_as_starting() {
    let engine = FakeEngine::new();
    engine.starts_take(Duration::from_secs(30));
    engine.workload_ensure(&spec(1)).await.unwrap();
    let instance = &engine.instances()[0];
    assert_eq!((&instance.state, instance.endpoint), (&InstanceState::Starting, None));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(engine.instances()[0].is_running());
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_backs_off() {
    let engine = FakeEngine::new();
    let spec = spec(1);
    engine.workload_ensure(&spec).await.unwrap();
    engine.crash_loop(&spec.id, 1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let instance = &engine.instances()[0];
    assert_eq!(instance.state, InstanceState::Crashed { exit_code: Some(1) });
    assert!((5..15).contains(&instance.restarts), "{} restarts in a minute", instance.restarts);
}

#[tokio::test(start_paused = true)]
async fn an_address_is_lost_and_given_anew() {
    let engine = FakeEngine::new();
    engine.workload_ensure(&spec(1)).await.unwrap();
    let id = engine.instances()[0].id.clone();
    engine.address_set(&id, None);
    assert_eq!(engine.instances()[0].endpoint, None);
    engine.address_set(&id, Some(Ipv4Addr::new(10, 9, 9, 9).into()));
    assert_eq!(engine.instances()[0].endpoint, Some("10.9.9.9:8080".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ignores_sigterm_sits_its_grace_period_out() {
    let engine = FakeEngine::new();
    let spec = spec(1);
    engine.workload_ensure(&spec).await.unwrap();
    engine.sigterm_ignored(true);
    let stopping = engine.clone();
    let id = spec.id.clone();
    let stop = tokio::spawn(async move { stopping.workload_remove(&id, Duration::from_secs(30)).await });
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(engine.instances()[0].state, InstanceState::Stopping);
    engine.workload_ensure(&spec).await.unwrap();
    assert_eq!(engine.instances().len(), 2, "a stopping instance holds no place");
    stop.await.unwrap().unwrap();
    assert_eq!(engine.instances().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_takes_its_instances_with_it_and_gets_no_others() {
    let engine = FakeEngine::new();
    engine.nodes_set(3);
    let spec = spec(6);
    engine.workload_ensure(&spec).await.unwrap();
    assert_eq!(engine.node_lose("node-2").len(), 2, "they were spread");
    assert!(engine.node_lose("node-2").is_empty(), "it has gone");
    assert_eq!(engine.instances().len(), 4);
    engine.workload_ensure(&spec).await.unwrap();
    let nodes: Vec<String> = engine.instances().into_iter().map(|instance| instance.node).collect();
    assert_eq!(nodes.len(), 6);
    assert!(!nodes.contains(&"node-2".to_owned()), "{nodes:?}");
    engine.node_lose("node-1");
    engine.node_lose("node-3");
    assert!(matches!(engine.workload_ensure(&spec).await, Err(SchedulerError::Start { .. })));
}
