//! The driver over a real swarm of several machines: the contract of all drivers, and what is Swarm's own. Needs root.
//!
//! Machines cost more than claims, so that one test runs all that disturb nobody, side by side on one swarm, and another
//! what does, one after the other.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]
#![expect(clippy::print_stdout, reason = "says which of many claims took how long")]

mod disturbances;
mod fixture;
mod placement;
mod stops;
mod terms;
mod workloads;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use ambo_scheduler::contract::{Claim, claim};
use fixture::{Platform, Swarm};
use futures::{FutureExt, StreamExt};

/// Claims that are tried at once: a small machine starts no more containers than this in time.
const CLAIMS_AT_ONCE: usize = 8;

/// Tries all claims and names those that do not hold.
async fn try_all(claims: Vec<(&'static str, Claim)>) {
    let trials = claims.into_iter().map(|(name, claim)| async move {
        let begun = tokio::time::Instant::now();
        let held = AssertUnwindSafe(claim).catch_unwind().await.is_ok();
        println!("{name}: {} after {:.1?}", if held { "holds" } else { "DOES NOT HOLD" }, begun.elapsed());
        (name, held)
    });
    let tried: Vec<_> = futures::stream::iter(trials).buffer_unordered(CLAIMS_AT_ONCE).collect().await;
    let broken: Vec<_> = tried.into_iter().filter(|(_, held)| !held).map(|(name, _)| name).collect();
    assert!(broken.is_empty(), "these claims do not hold: {broken:?}");
}

/// A list of claims about a platform of their own on one swarm.
macro_rules! claims {
    ($swarm:expr; $($module:ident::$claim:ident)*) => {
        vec![$((stringify!($claim), {
            let swarm = Arc::clone(&$swarm);
            claim(async move { $module::$claim(&Platform::new(&swarm)).await })
        })),*]
    };
}

#[tokio::test]
async fn a_swarm_keeps_the_contract_and_what_it_promises_besides() {
    let swarm = Arc::new(Swarm::up("swarm-claims", 3, 1));
    let only = std::env::var("CLAIM").unwrap_or_default();
    let mut claims = ambo_scheduler::contract_suite!(list {
        let swarm = Arc::clone(&swarm);
        async move { Platform::new(&swarm) }
    });
    claims.extend(claims! { swarm;
        placement::instances_of_a_workload_are_on_different_nodes
        placement::instances_go_where_their_tags_say
        placement::every_node_reaches_instances_on_the_network_of_their_app
        stops::exactly_those_that_were_asked_for_go_however_swarm_would_choose
        stops::several_shrinks_and_a_raise_at_once_add_up
        stops::one_that_crashes_is_retired_and_the_others_stay
        stops::a_shrink_that_was_given_up_leaves_nothing_closed
        stops::the_grace_period_is_the_callers
        workloads::variables_are_no_templates
        workloads::limits_and_rights_are_as_promised
        workloads::a_network_goes_with_the_last_workload_of_its_app
        terms::a_control_plane_that_was_replaced_changes_nothing
        terms::a_service_in_another_hand_is_not_changed_from_an_old_look
        terms::two_platforms_on_one_swarm_do_not_see_each_other
    });
    claims.retain(|(name, _)| name.contains(&only));
    try_all(claims).await;
}

#[tokio::test]
async fn a_swarm_is_disturbed_and_goes_on() {
    let swarm = Arc::new(Swarm::up("swarm-disturbed", 3, 3));
    disturbances::a_short_silence_of_a_node_moves_nothing(&Platform::new(&swarm)).await;
    disturbances::a_drained_node_gives_its_instances_away(&Platform::new(&swarm)).await;
    disturbances::nodes_are_demoted_promoted_and_joined(&Platform::new(&swarm)).await;
    disturbances::what_a_dead_node_had_is_started_elsewhere(&Platform::new(&swarm)).await;
}
