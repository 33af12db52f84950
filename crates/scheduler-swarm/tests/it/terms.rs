//! One control plane at a time, and one platform beside another.

use std::collections::BTreeMap;
use std::time::Duration;

use ambo_model::NodeAvailability;
use ambo_scheduler::{Nodes, Scheduler, SchedulerError};

use crate::fixture::{FOREVER, GRACE, Platform};

pub(crate) async fn a_control_plane_that_was_replaced_changes_nothing(platform: &Platform) {
    let past = &platform.scheduler;
    let mut spec = platform.spec(FOREVER, 2);
    let before = platform.started(&spec).await;
    // Its successor has done no more than start something else.
    let successor = platform.successor(2);
    successor.workload_ensure(&platform.spec(FOREVER, 1)).await.unwrap();

    spec.count = 3;
    let node = platform.node("n3").await.id;
    let (id, workload) = (&before[0].id, &spec.id);
    let attempts = [
        past.workload_ensure(&spec).await,
        past.workload_ensure(&platform.spec(FOREVER, 1)).await,
        past.workload_shrink(workload, 1, std::slice::from_ref(id), GRACE).await,
        past.instance_stop(id, GRACE).await,
        past.workload_remove(workload, GRACE).await,
        past.node_availability_set(&node, NodeAvailability::Pause).await,
        past.node_tag(&node, &BTreeMap::new()).await,
    ];
    for (number, attempt) in attempts.into_iter().enumerate() {
        let refused = attempt.unwrap_err();
        assert!(matches!(refused, SchedulerError::Deposed { ours: 1, seen: 2 }), "attempt {number}: {refused:?}");
    }
    // Swarm takes its time to start what it has accepted.
    let instances = platform
        .wait_until("what the successor started is there", async || {
            let seen = successor.instances_observe().await.unwrap();
            (seen.len() >= 3).then_some(seen)
        })
        .await;
    assert_eq!(instances.len(), 3, "nothing was started and nothing was stopped");
    assert!(before.iter().all(|instance| instances.contains(instance)), "{instances:?}");

    successor.workload_remove(workload, GRACE).await.unwrap();
    let refused = platform.successor(1).workload_ensure(&spec).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::Deposed { .. }), "also after a restart: {refused:?}");
}

/// The past control plane has closed the service and waits for a container to end; its successor opens it meanwhile.
pub(crate) async fn a_service_in_another_hand_is_not_changed_from_an_old_look(platform: &Platform) {
    let spec = platform.spec("trap '' TERM; while :; do sleep 0.1; done", 2);
    let before = platform.started(&spec).await;
    let successor = platform.successor(2);
    let ids = [before[0].id.clone()];
    let shrink = platform.scheduler.workload_shrink(&spec.id, 1, &ids, Duration::from_secs(3));
    let take_over = async {
        platform
            .wait_until("the service is closed", async || {
                let filter = format!("label=ambo.platform={}", platform.id);
                let service = platform.docker(&["service", "ls", "-q", "--filter", &filter]).await;
                let labels =
                    platform.docker(&["service", "inspect", "--format", "{{.Spec.Labels}}", service.trim()]).await;
                labels.contains("ambo.retiring").then_some(())
            })
            .await;
        successor.workload_ensure(&spec).await.unwrap();
    };
    let (shrunk, ()) = tokio::join!(shrink, take_over);
    assert!(matches!(shrunk, Err(SchedulerError::Deposed { ours: 1, seen: 2 })), "{shrunk:?}");
    platform
        .wait_until("the successor has both again", async || {
            let instances = successor.instances_observe().await.unwrap();
            let running = instances.iter().filter(|instance| instance.is_running()).count();
            (running == 2 && instances.len() == 2).then_some(())
        })
        .await;
}

pub(crate) async fn two_platforms_on_one_swarm_do_not_see_each_other(platform: &Platform) {
    let theirs = Platform::new(&platform.swarm);
    let spec = platform.spec(FOREVER, 1);
    let instance = platform.started(&spec).await.remove(0);
    assert!(theirs.scheduler.instances_observe().await.unwrap().is_empty());
    theirs.scheduler.workload_remove(&spec.id, Duration::ZERO).await.unwrap();
    theirs.scheduler.instance_stop(&instance.id, Duration::ZERO).await.unwrap();
    let refused = theirs.scheduler.instance_last_lines(&instance.id, 1).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::InstanceGone(_)));
    assert_eq!(platform.observed(&spec).await, [instance]);
}
