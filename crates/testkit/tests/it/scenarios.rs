//! Directed claims.

use std::collections::BTreeMap;
use std::time::Duration;

use ambo_controller::formations::Quantity;
use ambo_model::{Instance, ProcessType, ReleaseStatus, ReleaseVersion, RouteTable, Timestamp};
use ambo_testkit::simulation::{GOOD, Simulation};
use ambo_testkit::{Fault, Moment, NEVER_READY, Outcome};

/// More steps than a deploy has.
const STEPS_MAX: u32 = 60;

async fn serving() -> Simulation {
    let mut simulation = Simulation::new(None).await;
    simulation.deploy(GOOD).await.unwrap();
    simulation.settle().await;
    simulation
}

async fn scale_web(simulation: &Simulation, count: i64) {
    let wanted = BTreeMap::from([(ProcessType::web(), Quantity::Absolute(count))]);
    let (controller, name) = (simulation.controller(), simulation.name());
    controller.formation_scale(&simulation.caller, &name, &wanted, Timestamp::now()).await.unwrap();
}

/// Kills the control plane at every step of a deploy in turn; gives how often the new and how often the old serves.
async fn deploy_killed_at_every_step(moment: fn(u32) -> Moment) -> (u32, u32) {
    let (mut new, mut old) = (0, 0);
    for step in 0..STEPS_MAX {
        let mut simulation = serving().await;
        let before = simulation.record().await.serving;
        simulation.fault_at(moment(step), Fault::Death);
        let told = tokio::time::timeout(Duration::from_secs(120), simulation.deploy(GOOD)).await;
        if !simulation.is_dead() {
            assert!(told.unwrap().is_ok(), "nothing died, and the deploy failed");
            return (new, old);
        }
        simulation.crash().await;
        simulation.settle().await;
        let serves = simulation.record().await.serving;
        match told {
            Ok(told) => assert_eq!(serves, Some(told.unwrap().version), "step {step}: what was told holds"),
            Err(_) if serves == before => old += 1,
            Err(_) => new += 1,
        }
        simulation.deploy(GOOD).await.unwrap();
        simulation.settle().await;
    }
    panic!("a deploy has more than {STEPS_MAX} steps: some are not tried");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_killed_before_any_step_of_a_push_serves_the_old_or_the_new() {
    let (new, old) = deploy_killed_at_every_step(Moment::Before).await;
    assert!(old >= 4, "the old served {old} times, the new {new} times");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_killed_after_any_step_of_a_push_serves_the_old_or_the_new() {
    let (new, old) = deploy_killed_at_every_step(Moment::After).await;
    assert!(new >= 1 && old >= 4, "the old served {old} times, the new {new} times");
}

#[tokio::test(start_paused = true)]
async fn a_push_is_told_the_truth_when_the_engine_goes_away_at_any_step_of_it() {
    for step in 0..STEPS_MAX {
        let mut simulation = serving().await;
        let before = simulation.record().await.serving;
        simulation.fault_at(Moment::After(step), Fault::EngineAway);
        let told = simulation.deploy(GOOD).await;
        let happened = simulation.fault_happened();
        tokio::time::sleep(Duration::from_secs(30)).await;
        simulation.engine.up();
        simulation.settle().await;
        let expected = told.as_ref().map_or(before, |deployed| Some(deployed.version));
        assert_eq!(simulation.record().await.serving, expected, "step {step}: {told:?}");
        if !happened {
            return;
        }
    }
    panic!("a deploy has more than {STEPS_MAX} steps: some are not tried");
}

#[tokio::test(start_paused = true)]
async fn a_push_waits_for_an_engine_that_comes_back() {
    for step in 0..STEPS_MAX {
        let mut simulation = serving().await;
        simulation.fault_at(Moment::After(step), Fault::EngineAway);
        let deploy = tokio::spawn(simulation.deploy_begin(Outcome::Procfile(GOOD.to_owned()), Duration::ZERO));
        while !simulation.fault_happened() && !deploy.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        simulation.engine.up();
        let deployed = deploy.await.unwrap().unwrap_or_else(|refused| panic!("step {step}: {refused}"));
        simulation.settle().await;
        assert_eq!(simulation.record().await.serving, Some(deployed.version), "step {step}");
        if !simulation.fault_happened() {
            return;
        }
    }
    panic!("a deploy has more than {STEPS_MAX} steps: some are not tried");
}

/// Kills the control plane at every step of a config change in turn; while it is dead, the engine has to start every
/// instance again once, which a rollout takes for a failure.
#[tokio::test(start_paused = true)]
async fn a_rollout_that_had_switched_before_a_crash_is_not_undone_by_its_second_run() {
    for step in 0..STEPS_MAX {
        let mut simulation = Simulation::new(None).await;
        simulation.deploy("web: sleep 300; exit 1").await.unwrap();
        simulation.settle().await;
        simulation.fault_at(Moment::After(step), Fault::Death);
        let changed = simulation.config_set("COLOUR", "blue");
        let _ = tokio::time::timeout(Duration::from_secs(30), changed).await; // The dead do not answer.
        tokio::time::sleep(Duration::from_secs(30)).await;
        if !simulation.is_dead() {
            return;
        }
        let serving = simulation.record().await.serving;
        let served = |instance: &Instance| Some(instance.workload.release) == serving;
        let before: Vec<_> = simulation.running().into_iter().filter(served).map(|instance| instance.id).collect();
        simulation.router.disturbed(simulation.app);
        tokio::time::sleep(Duration::from_secs(300)).await;
        simulation.crash().await;
        simulation.settle().await;
        if simulation.record().await.serving == serving {
            let after: Vec<_> = simulation.running().into_iter().map(|instance| instance.id).collect();
            assert_eq!(before, after, "step {step}: what served goes on");
        }
    }
    panic!("a rollout has more than {STEPS_MAX} steps: some are not tried");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_fails_leaves_the_old_as_it_is() {
    let mut simulation = serving().await;
    let before = (simulation.record().await.serving, simulation.running(), simulation.router.route(simulation.app));
    let crashing = simulation.deploy("web: exit 3\n").await.unwrap_err();
    assert!(crashing.to_string().contains("exited with code 3"), "{crashing}");
    let never = simulation.deploy(&format!("web: {NEVER_READY}\n")).await.unwrap_err();
    assert!(never.to_string().contains("did not become healthy"), "{never}");
    let hanging = simulation.deploy_begin(Outcome::Hangs, Duration::ZERO);
    assert!(tokio::time::timeout(Duration::from_secs(30), hanging).await.is_err());
    assert!(simulation.deploy_begin(Outcome::Fails, Duration::ZERO).await.is_err());
    simulation.settle().await;
    let after = (simulation.record().await.serving, simulation.running(), simulation.router.route(simulation.app));
    assert_eq!(before, after);
    assert_eq!(simulation.releases().await.len(), 4, "failed builds make no release, failed rollouts keep theirs");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_killed_or_vanishes_is_replaced() {
    let mut simulation = serving().await;
    scale_web(&simulation, 3).await;
    simulation.settle().await;
    let before = simulation.running();
    simulation.router.disturbed(simulation.app);
    simulation.engine.kill(&before[0].id);
    simulation.engine.vanish(&before[1].id);
    simulation.settle().await;
    let after = simulation.running();
    assert_eq!(after.len(), 3);
    let stayed: Vec<_> = before.iter().filter(|instance| after.iter().any(|other| other.id == instance.id)).collect();
    assert_eq!(stayed, [&before[2]]);
}

/// In virtual time.
async fn route_waited_for(simulation: &Simulation, targets: usize) -> Duration {
    let since = tokio::time::Instant::now();
    while simulation.router.route(simulation.app).is_none_or(|route| route.targets.len() != targets) {
        assert!(since.elapsed() < Duration::from_secs(600), "the routes never had {targets} targets");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_crashed_once_is_routed_as_soon_as_it_answers_again() {
    let mut simulation = Simulation::new(None).await;
    simulation.deploy("web: sleep 300; exit 1").await.unwrap();
    simulation.settle().await;
    simulation.router.disturbed(simulation.app);
    route_waited_for(&simulation, 0).await;
    let down = route_waited_for(&simulation, 1).await;
    assert!(down < Duration::from_secs(6), "it was started again at once, and was out of rotation for {down:?}");
    assert_eq!(simulation.running().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn config_set_while_the_engine_is_away_is_rolled_out_when_it_is_back() {
    let mut simulation = serving().await;
    simulation.engine.down();
    simulation.config_set("COLOUR", "blue").await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(simulation.release(ReleaseVersion(3)).await.status, ReleaseStatus::Pending);
    simulation.engine.up();
    simulation.settle().await;
    assert_eq!(simulation.record().await.serving, Some(ReleaseVersion(3)));
}

#[tokio::test(start_paused = true)]
async fn config_that_was_acknowledged_is_rolled_out_after_a_crash() {
    let mut simulation = serving().await;
    simulation.config_set("COLOUR", "blue").await.unwrap();
    simulation.crash().await;
    simulation.settle().await;
    assert_eq!(simulation.record().await.serving, Some(ReleaseVersion(3)));
    assert_eq!(simulation.config().await.get("COLOUR").map(String::as_str), Some("blue"));
}

#[tokio::test(start_paused = true)]
async fn config_set_after_a_rollback_builds_on_what_the_rollback_restored() {
    let mut simulation = serving().await;
    simulation.config_set("COLOUR", "good").await.unwrap();
    simulation.config_set("COLOUR", "bad").await.unwrap();
    simulation.settle().await;
    let (controller, name) = (simulation.controller(), simulation.name());
    controller.release_rollback(&simulation.caller, &name, "v3", Timestamp::now()).await.unwrap();
    simulation.config_set("SIZE", "big").await.unwrap();
    simulation.settle().await;
    let config = simulation.config().await;
    assert_eq!((config["COLOUR"].as_str(), config["SIZE"].as_str()), ("good", "big"));
    assert_eq!(simulation.record().await.serving, Some(ReleaseVersion(6)));
}

#[tokio::test(start_paused = true)]
async fn a_config_change_that_waited_for_the_engine_does_not_take_a_later_push_back() {
    let mut simulation = serving().await;
    simulation.engine.down();
    simulation.config_set("COLOUR", "blue").await.unwrap();
    tokio::time::sleep(Duration::from_secs(70)).await; // Longer than a rollout waits by itself.
    simulation.engine.up();
    let deployed = simulation.deploy(GOOD).await.unwrap();
    simulation.settle().await;
    assert_eq!(simulation.record().await.serving, Some(deployed.version), "what was pushed serves");
    assert_eq!(simulation.config().await["COLOUR"], "blue", "with the config that it was pushed on");
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_waited_for_a_push_does_not_take_it_back() {
    let mut simulation = serving().await;
    let deploy = tokio::spawn(simulation.deploy_begin(Outcome::Procfile(GOOD.to_owned()), Duration::ZERO));
    simulation.engine.starts_take(Duration::from_secs(5));
    tokio::time::sleep(Duration::from_secs(1)).await;
    simulation.restart_all().await.unwrap();
    let deployed = deploy.await.unwrap().unwrap();
    simulation.settle().await;
    assert_eq!(simulation.record().await.serving, Some(deployed.version));
}

#[tokio::test(start_paused = true)]
async fn restarts_and_new_control_planes_drop_no_request() {
    let mut simulation = serving().await;
    simulation.restart_all().await.unwrap();
    simulation.settle().await;
    simulation.restart().await;
    simulation.settle().await;
    simulation.crash().await;
    simulation.settle().await;
    let routed = |table: &RouteTable| table.routes.iter().all(|route| !route.targets.is_empty());
    let tables = simulation.router.tables();
    let first = tables.iter().position(|table| !table.routes.is_empty() && routed(table)).unwrap();
    assert!(tables.len() > first + 3, "there were restarts to see");
    assert!(tables[first..].iter().all(routed), "{tables:?}");
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_that_starts_without_its_engine_keeps_the_routes() {
    for seed in 0..20 {
        let mut simulation = Simulation::new(Some(seed)).await;
        simulation.deploy(GOOD).await.unwrap();
        simulation.settle().await;
        simulation.config_set("COLOUR", "blue").await.unwrap();
        simulation.engine.down();
        simulation.crash().await;
        tokio::time::sleep(Duration::from_millis(9_900 + seed * 10)).await;
        simulation.engine.up();
        simulation.settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_gracefully_fails_the_deploy_and_says_so() {
    let mut simulation = serving().await;
    let deploy = tokio::spawn(simulation.deploy_begin(Outcome::Hangs, Duration::ZERO));
    tokio::time::sleep(Duration::from_secs(2)).await;
    simulation.restart().await;
    let told = deploy.await.unwrap().unwrap_err();
    assert!(told.to_string().contains("restarting"), "{told}");
    simulation.settle().await;
}
