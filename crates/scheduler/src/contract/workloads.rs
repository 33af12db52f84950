//! Starting, replacing, stopping.

use std::collections::BTreeSet;

use ambo_model::{Command, Instance, InstanceId, WorkloadId};
use futures::StreamExt;

use super::*;
use crate::port::SchedulerError;

/// As many instances as wanted start, numbered from one, and say what they are.
pub async fn count_is_reached_under_the_lowest_indexes(fixture: &dyn ContractFixture) {
    let (spec, instances) = started(fixture, FOREVER, 3).await;
    assert_eq!(indexes(&instances), [1, 2, 3]);
    assert_eq!(ids(&instances).len(), 3, "ids differ");
    assert!(instances.iter().all(|instance| instance.app_name == spec.app_name && instance.restarts == 0));
    assert_eq!(instances[1].name(), "web.2");
    assert!(instances.iter().all(|instance| !instance.node.is_empty()));
}

/// A second call finds nothing to do.
pub async fn ensure_twice_changes_nothing(fixture: &dyn ContractFixture) {
    let (spec, before) = started(fixture, FOREVER, 2).await;
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    assert_eq!(ids(&observed(fixture, &spec.id).await), ids(&before));
}

/// Two callers at once start no more than one would.
pub async fn ensure_at_once_reaches_the_count_once(fixture: &dyn ContractFixture) {
    let spec = workload(fixture, FOREVER, 2);
    let scheduler = fixture.scheduler();
    let calls = (0..4).map(|_| scheduler.workload_ensure(&spec));
    futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(indexes(&running(fixture, &spec.id, 2).await), [1, 2]);
}

/// A lower count stops nothing; that is for shrink to do.
pub async fn ensure_stops_nothing_beyond_the_count(fixture: &dyn ContractFixture) {
    let (mut spec, before) = started(fixture, FOREVER, 2).await;
    spec.count = 1;
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    assert_eq!(ids(&running(fixture, &spec.id, 2).await), ids(&before));
}

/// A killed instance gets a successor under its index, or is started again by the engine; nothing else is touched.
pub async fn killed_instance_is_replaced(fixture: &dyn ContractFixture) {
    let (spec, before) = started(fixture, FOREVER, 2).await;
    fixture.instance_kill(&before[0].id).await;
    wait_until(fixture, "the killed instance to have exited", || async {
        let ours = observed(fixture, &spec.id).await;
        let has_ended = |state: &InstanceState| match state {
            InstanceState::Exited { exit_code } | InstanceState::Crashed { exit_code } => *exit_code == Some(137),
            InstanceState::Starting | InstanceState::Running | InstanceState::Stopping => false,
        };
        ours.iter().any(|instance| has_ended(&instance.state)).then_some(())
    })
    .await;
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    let after = running(fixture, &spec.id, 2).await;
    assert_eq!(indexes(&after), [1, 2]);
    assert!(after[0].id != before[0].id || after[0].restarts > 0);
    assert_eq!(after[1].id, before[1].id);
}

/// An instance that was removed by hand gets a successor under its index.
pub async fn vanished_instance_is_replaced(fixture: &dyn ContractFixture) {
    let (spec, before) = started(fixture, FOREVER, 2).await;
    fixture.instance_vanish(&before[0].id).await;
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    let after = running(fixture, &spec.id, 2).await;
    assert_eq!(indexes(&after), [1, 2]);
    assert_eq!(after[1].id, before[1].id);
}

/// Shrink stops those it is given, and takes what is gone already for done.
pub async fn shrink_stops_what_it_is_told(fixture: &dyn ContractFixture) {
    let (spec, before) = started(fixture, FOREVER, 3).await;
    fixture.instance_vanish(&before[2].id).await;
    let retire = [before[0].id.clone(), before[2].id.clone(), unknown()];
    fixture.scheduler().workload_shrink(&spec.id, 1, &retire, GRACE).await.unwrap();
    assert_eq!(ids(&observed(fixture, &spec.id).await), ids(&before[1..2]));
}

/// Removing a workload leaves the next generation of the same process alone; doing it twice is no error.
pub async fn remove_takes_one_workload_only(fixture: &dyn ContractFixture) {
    let (spec, _) = started(fixture, FOREVER, 2).await;
    let mut next = spec.clone();
    next.id = WorkloadId { generation: spec.id.generation + 1, ..spec.id.clone() };
    fixture.scheduler().workload_ensure(&next).await.unwrap();
    let kept = running(fixture, &next.id, 2).await;
    for _ in 0..2 {
        fixture.scheduler().workload_remove(&spec.id, GRACE).await.unwrap();
        assert!(observed(fixture, &spec.id).await.is_empty());
    }
    assert_eq!(ids(&observed(fixture, &next.id).await), ids(&kept));
}

/// A stopped instance is gone when the call returns, and the next ensure fills its place.
pub async fn stopped_instance_is_replaced_under_its_index(fixture: &dyn ContractFixture) {
    let (spec, before) = started(fixture, FOREVER, 2).await;
    fixture.scheduler().instance_stop(&before[0].id, GRACE).await.unwrap();
    assert_eq!(ids(&observed(fixture, &spec.id).await), ids(&before[1..]));
    fixture.scheduler().instance_stop(&before[0].id, GRACE).await.unwrap();
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    let after = running(fixture, &spec.id, 2).await;
    assert_eq!(indexes(&after), [1, 2]);
    assert_ne!(after[0].id, before[0].id);
}

/// A running instance is reached at an address of its own, on the workload's port, and knows when it started.
pub async fn running_instance_has_an_address_and_a_start(fixture: &dyn ContractFixture) {
    let (spec, instances) = started(fixture, FOREVER, 2).await;
    let endpoints: BTreeSet<_> = instances.iter().filter_map(|instance| instance.endpoint).collect();
    assert_eq!(endpoints.len(), 2);
    assert!(endpoints.iter().all(|endpoint| endpoint.port() == spec.port));
    assert!(instances.iter().all(|instance| instance.started_at.is_some()));
}

/// An instance that exits again and again is crashed, is not replaced, and its last lines tell why.
pub async fn crashing_instance_is_crashed_and_tells_why(fixture: &dyn ContractFixture) {
    let spec = workload(fixture, "echo no database >&2; exit 3", 1);
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    let crashed = wait_until(fixture, "a crashed instance that has been restarted", || async {
        let ours = observed(fixture, &spec.id).await;
        let known = InstanceState::Crashed { exit_code: Some(3) };
        ours.into_iter().find(|instance| instance.state == known && instance.restarts > 0)
    })
    .await;
    let lines = fixture.scheduler().instance_last_lines(&crashed.id, 1).await.unwrap();
    assert_eq!(lines, ["no database"]);
    fixture.scheduler().workload_ensure(&spec).await.unwrap();
    assert_eq!(ids(&observed(fixture, &spec.id).await), [crashed.id].into());
}

/// An image that is nowhere is the image's fault, and starts nothing.
pub async fn image_that_is_nowhere_cannot_be_pulled(fixture: &dyn ContractFixture) {
    let mut spec = workload(fixture, FOREVER, 1);
    spec.image = fixture.image_missing();
    let refused = fixture.scheduler().workload_ensure(&spec).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::ImagePull { .. }), "{refused:?}");
    let refused = fixture.scheduler().image_ensure(&spec.image).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::ImagePull { .. }), "{refused:?}");
    assert!(observed(fixture, &spec.id).await.is_empty());
    fixture.scheduler().image_ensure(&fixture.image()).await.unwrap();
}

/// A program that is not in the image is the user's fault, and leaves nothing behind.
pub async fn program_that_is_not_there_cannot_be_started(fixture: &dyn ContractFixture) {
    let mut spec = workload(fixture, FOREVER, 2);
    spec.command = Command::Argv(vec!["/no/such/program".to_owned()]);
    match fixture.scheduler().workload_ensure(&spec).await.unwrap_err() {
        SchedulerError::Start { what, reason } => {
            assert!(what.starts_with("web."), "{what}");
            assert!(reason.contains("/no/such/program"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(observed(fixture, &spec.id).await.is_empty());
}

/// Starting, dying and removal are told, with the app concerned.
pub async fn changes_are_told(fixture: &dyn ContractFixture) {
    let mut events = fixture.scheduler().events().await.unwrap();
    let (spec, instances) = started(fixture, FOREVER, 1).await;
    let mut told = async || {
        let next = async {
            loop {
                let event = events.next().await.unwrap();
                if event.app == Some(spec.id.app) {
                    return;
                }
            }
        };
        tokio::time::timeout(fixture.deadline(), next).await.unwrap();
    };
    told().await;
    fixture.instance_kill(&instances[0].id).await;
    told().await;
    fixture.instance_vanish(&instances[0].id).await;
    told().await;
}

/// The engine has a name, a version and a size.
pub async fn engine_says_what_it_is(fixture: &dyn ContractFixture) {
    let status = fixture.scheduler().status().await.unwrap();
    assert!(!status.engine.is_empty() && !status.version.is_empty());
    assert!(status.memory_bytes > 0 && status.cpu_count > 0);
}

fn ids(instances: &[Instance]) -> BTreeSet<InstanceId> {
    instances.iter().map(|instance| instance.id.clone()).collect()
}

fn indexes(instances: &[Instance]) -> Vec<u32> {
    instances.iter().map(|instance| instance.index).collect()
}

fn unknown() -> InstanceId {
    InstanceId::new("0123456789abcdef")
}
