//! Machines fall silent, are drained, die.

use std::collections::BTreeSet;
use std::time::Duration;

use ambo_model::{Instance, NodeAvailability, NodeRank, NodeRole, NodeState};
use ambo_scheduler::{Nodes, Scheduler, SchedulerError};

use crate::fixture::{FOREVER, GRACE, Platform, driver_at, engine};

fn nodes(instances: &[Instance]) -> BTreeSet<&str> {
    instances.iter().map(|instance| instance.node.as_str()).collect()
}

pub(crate) async fn a_short_silence_of_a_node_moves_nothing(platform: &Platform) {
    let spec = platform.spec(FOREVER, 3);
    let before = platform.started(&spec).await;
    let machine = platform.machine("n3");
    machine.disconnect().unwrap();
    // A silence has a length: a fraction of what it takes the managers to give a node up, which is three heartbeats.
    tokio::time::sleep(Duration::from_secs(1)).await;
    machine.connect().unwrap();
    let ready = |state| state == NodeState::Ready;
    platform
        .wait_until("all are ready", async || {
            let nodes = platform.scheduler.nodes_list().await.ok()?;
            nodes.iter().all(|node| ready(node.state)).then_some(())
        })
        .await;
    assert_eq!(platform.running(&spec, 3).await, before, "the same, as if nothing had been");
    platform.scheduler.workload_remove(&spec.id, GRACE).await.unwrap();
}

pub(crate) async fn a_drained_node_gives_its_instances_away(platform: &Platform) {
    let spec = platform.spec(FOREVER, 3);
    let before = platform.started(&spec).await;
    let node = platform.node("n2").await.id;
    platform.scheduler.node_availability_set(&node, NodeAvailability::Drain).await.unwrap();
    assert_eq!(platform.node("n2").await.availability, NodeAvailability::Drain);
    let after = platform
        .wait_until("all run, and none on n2", async || {
            let instances = platform.observed(&spec).await;
            let fit = instances.len() == 3 && instances.iter().all(|i| i.is_running() && i.node != "n2");
            fit.then_some(instances)
        })
        .await;
    let stayed = before.iter().filter(|instance| instance.node != "n2");
    assert!(stayed.clone().all(|instance| after.contains(instance)), "those elsewhere are as they were");
    assert!(after.iter().all(|instance| instance.restarts == 0), "being moved is no crash");
    platform.scheduler.node_availability_set(&node, NodeAvailability::Active).await.unwrap();
    platform.scheduler.workload_remove(&spec.id, GRACE).await.unwrap();
}

pub(crate) async fn nodes_are_demoted_promoted_and_joined(platform: &Platform) {
    let scheduler = &platform.scheduler;
    let node = platform.node("n2").await;
    assert!(matches!(node.role, NodeRole::Manager { reachable: true, .. }));
    assert_eq!(node.address.unwrap().to_string(), platform.machine("n2").address());
    assert!(!node.engine_version.is_empty() && node.resources.memory.as_u64() > 0);
    assert!(node.resources.cpu.as_millis() >= 1000);
    let tokens = scheduler.join_tokens().await.unwrap();
    assert!(tokens.worker.reveal().starts_with("SWMTKN-") && tokens.worker != tokens.manager);
    assert_eq!(tokens.addresses.len(), 3);

    let refused = scheduler.node_remove(&node.id).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::Refused { .. }), "{refused:?}");
    scheduler.node_rank_set(&node.id, NodeRank::Worker).await.unwrap();
    platform
        .wait_until("n2 is a worker", async || (platform.node("n2").await.role == NodeRole::Worker).then_some(()))
        .await;
    scheduler.node_rank_set(&node.id, NodeRank::Manager).await.unwrap();
    platform
        .wait_until("n2 is a manager again", async || {
            matches!(platform.node("n2").await.role, NodeRole::Manager { reachable: true, .. }).then_some(())
        })
        .await;
    scheduler.node_remove(&"nosuch".parse().unwrap()).await.unwrap();
}

/// The first node dies, which leads the swarm and is the driver's nearest manager.
pub(crate) async fn what_a_dead_node_had_is_started_elsewhere(platform: &Platform) {
    let spec = platform.spec(FOREVER, 3);
    let before = platform.started(&spec).await;
    let machine = platform.machine("n1");
    let lonely = driver_at(&platform.swarm, vec![engine(machine)], &platform.id, 1, &platform.routers);
    let events = platform.scheduler.events().await.unwrap();
    machine.kill();

    let refused = lonely.instances_observe().await.unwrap_err();
    assert!(matches!(refused, SchedulerError::EngineDown { .. }), "{refused:?}");
    drop((lonely, events));
    let after = platform
        .wait_until("three run without the dead node", async || {
            let instances = platform.scheduler.instances_observe().await.ok()?;
            let running = instances.iter().filter(|instance| instance.is_running());
            (instances.len() == 3 && running.count() == 3 && !nodes(&instances).contains("n1")).then_some(instances)
        })
        .await;
    let stayed = before.iter().filter(|instance| instance.node != "n1");
    assert!(stayed.clone().all(|instance| after.contains(instance)), "those elsewhere are as they were");
    assert_eq!(nodes(&after).len(), 2, "and nobody is alone while there is room: {after:?}");
    assert!(after.iter().all(|instance| instance.restarts == 0));
    assert_eq!(platform.node("n1").await.state, NodeState::Down);

    // What was lost is no obstacle to what is asked for now.
    let lost = before.iter().find(|instance| instance.node == "n1").unwrap();
    platform.scheduler.instance_stop(&lost.id, GRACE).await.unwrap();
    platform.scheduler.workload_shrink(&spec.id, 2, &[after[0].id.clone()], GRACE).await.unwrap();
    assert_eq!(platform.observed(&spec).await.len(), 2);
    platform.scheduler.workload_remove(&spec.id, GRACE).await.unwrap();
    machine.start().unwrap();
    platform
        .wait_until("the dead node is back, and empty", async || {
            let node = platform.node("n1").await;
            let instances = platform.scheduler.instances_observe().await.ok()?;
            (node.state == NodeState::Ready && instances.is_empty()).then_some(())
        })
        .await;
}
