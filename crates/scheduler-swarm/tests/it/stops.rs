//! Who goes, and who stays.

use std::collections::BTreeSet;
use std::time::Duration;

use ambo_model::{Instance, InstanceId, InstanceState};
use ambo_scheduler::Scheduler;

use crate::fixture::{FOREVER, GRACE, Platform};

fn ids<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> BTreeSet<InstanceId> {
    instances.into_iter().map(|instance| instance.id.clone()).collect()
}

pub(crate) async fn exactly_those_that_were_asked_for_go_however_swarm_would_choose(platform: &Platform) {
    let mut spec = platform.spec(FOREVER, 6);
    let before = platform.started(&spec).await;
    // All of one node go, which Swarm would never choose; so does the first of another.
    let (gone, stay): (Vec<&Instance>, Vec<&Instance>) =
        before.iter().partition(|instance| instance.node == "n2" || instance.index == 1);
    let retire: Vec<InstanceId> = gone.iter().map(|instance| instance.id.clone()).collect();
    let keep = u32::try_from(stay.len()).unwrap();
    platform.scheduler.workload_shrink(&spec.id, keep, &retire, GRACE).await.unwrap();
    let after = platform.observed(&spec).await;
    assert_eq!(ids(&after), ids(stay.iter().copied()));
    assert!(after.iter().all(|instance| instance.is_running() && instance.restarts == 0));

    spec.count = 6;
    let again = platform.started(&spec).await;
    assert_eq!(again.iter().map(|instance| instance.index).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(ids(&again).is_superset(&ids(stay)) && again.iter().all(|instance| instance.restarts == 0));
}

pub(crate) async fn several_shrinks_and_a_raise_at_once_add_up(platform: &Platform) {
    let mut spec = platform.spec("trap 'sleep 2; exit' TERM; while :; do sleep 0.1; done", 4);
    let before = platform.started(&spec).await;
    let stop = |index: usize| platform.scheduler.instance_stop(&before[index].id, GRACE);
    spec.count = 4;
    // The same one twice, another, and meanwhile two are to take their places.
    let (one, same, other, raised) = tokio::join!(stop(0), stop(0), stop(2), platform.scheduler.workload_ensure(&spec));
    one.and(same).and(other).and(raised).unwrap();
    platform.scheduler.workload_ensure(&spec).await.unwrap();
    let after = platform.running(&spec, 4).await;
    assert!(ids(&after).is_superset(&ids([&before[1], &before[3]])));
    assert!(ids(&after).is_disjoint(&ids([&before[0], &before[2]])));
}

pub(crate) async fn one_that_crashes_is_retired_and_the_others_stay(platform: &Platform) {
    let spec = platform.spec("[ $DYNO = web.2 ] && exit 3; exec sleep infinity", 3);
    platform.scheduler.workload_ensure(&spec).await.unwrap();
    let before = platform
        .wait_until("one that crashed, beside two that run", async || {
            let instances = platform.observed(&spec).await;
            let crashed = |instance: &Instance| instance.state == InstanceState::Crashed { exit_code: Some(3) };
            let running = instances.iter().filter(|instance| instance.is_running()).count();
            (running == 2 && instances.len() == 3 && crashed(&instances[1])).then_some(instances)
        })
        .await;
    platform.scheduler.workload_shrink(&spec.id, 2, &[before[1].id.clone()], GRACE).await.unwrap();
    assert_eq!(ids(&platform.observed(&spec).await), ids([&before[0], &before[2]]));
}

pub(crate) async fn a_shrink_that_was_given_up_leaves_nothing_closed(platform: &Platform) {
    let spec = platform.spec("trap 'echo told' TERM; while :; do sleep 0.1; done", 2);
    let before = platform.started(&spec).await;
    let stopped = &before[0].id;
    let shrink = platform.scheduler.workload_shrink(&spec.id, 1, std::slice::from_ref(stopped), GRACE);
    let told = platform.wait_until("it was told to stop", async || {
        let lines = platform.scheduler.instance_last_lines(stopped, 10).await.ok()?;
        lines.iter().any(|line| line == "told").then_some(())
    });
    // As when the control plane is killed in the middle.
    tokio::select! {
        biased;
        () = told => {}
        shrunk = shrink => panic!("it sits its grace period out: {shrunk:?}"),
    }
    let after = platform
        .wait_until("the stopped one has a successor", async || {
            let instances = platform.observed(&spec).await;
            let replaced = instances.iter().any(|instance| instance.index == 1 && instance.restarts > 0);
            (replaced && instances.iter().all(Instance::is_running)).then_some(instances)
        })
        .await;
    assert_eq!(after.len(), 2);
    let service =
        platform.docker(&["service", "ls", "-q", "--filter", &format!("label=ambo.platform={}", platform.id)]).await;
    let placement = platform.docker(&["service", "inspect", "--format", "{{.Spec.Labels}}", service.trim()]).await;
    assert!(!placement.contains("ambo.retiring"), "{placement}");
}

pub(crate) async fn the_grace_period_is_the_callers(platform: &Platform) {
    let spec = platform.spec("trap '' TERM; while :; do sleep 0.1; done", 2);
    let before = platform.started(&spec).await;
    let grace = Duration::from_secs(2);
    let begun = tokio::time::Instant::now();
    let ids: Vec<InstanceId> = before.iter().map(|instance| instance.id.clone()).collect();
    let stopping = platform.wait_until("both are stopping", async || {
        let instances = platform.observed(&spec).await;
        instances.iter().all(|instance| instance.state == InstanceState::Stopping).then_some(())
    });
    let (shrunk, ()) = tokio::join!(platform.scheduler.workload_shrink(&spec.id, 0, &ids, grace), stopping);
    shrunk.unwrap();
    assert!(begun.elapsed() >= grace, "they had their grace period");
    assert!(platform.observed(&spec).await.is_empty());
}
