//! Which instances go when the count falls. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use ambo_model::{Instance, InstanceId, InstanceState, WorkloadId};

use crate::plan::is_live;

/// Chooses the instances of `workload` to retire so that `keep` remain. Pure.
///
/// Those that serve nobody go first: crashed ones, then those that fail their health check (`unhealthy`), then those that
/// are still starting. Among equals the highest index goes, so that `web.1` is the last to leave.
/// Instances that have ended or are stopping already are not chosen.
#[must_use]
pub fn retire(
    workload: &WorkloadId,
    observed: &[Instance],
    keep: u32,
    unhealthy: &BTreeSet<InstanceId>,
) -> Vec<InstanceId> {
    let mut live: Vec<&Instance> =
        observed.iter().filter(|instance| instance.workload == *workload && is_live(instance)).collect();
    live.sort_by_key(|instance| (usefulness(instance, unhealthy), Reverse(instance.index)));
    let surplus_count = live.len().saturating_sub(keep as usize);
    live.into_iter().take(surplus_count).map(|instance| instance.id.clone()).collect()
}

/// How much an instance does for its users; the least useful goes first.
fn usefulness(instance: &Instance, unhealthy: &BTreeSet<InstanceId>) -> u8 {
    match instance.state {
        InstanceState::Exited { .. } | InstanceState::Stopping | InstanceState::Crashed { .. } => 0,
        _ if unhealthy.contains(&instance.id) => 1,
        InstanceState::Starting => 2,
        InstanceState::Running => 3,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn retired(keep: u32, observed: &[Instance], unhealthy: &[&str]) -> Vec<String> {
        let unhealthy = unhealthy.iter().map(|id| InstanceId::new(*id)).collect();
        let ids = retire(&sample::spec(0).id, observed, keep, &unhealthy);
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn those_that_serve_nobody_go_first_then_the_highest_index() {
        let observed = [
            sample::instance("crashed", 1, InstanceState::Crashed { exit_code: None }),
            sample::instance("two", 2, InstanceState::Running),
            sample::instance("starting", 3, InstanceState::Starting),
            sample::instance("sick", 4, InstanceState::Running),
            sample::instance("five", 5, InstanceState::Running),
            sample::instance("stopping", 6, InstanceState::Stopping),
        ];
        assert_eq!(retired(1, &observed, &["sick"]), ["crashed", "sick", "starting", "five"]);
        assert_eq!(retired(4, &observed, &["sick"]), ["crashed"]);
        assert!(retired(9, &observed, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn as_many_remain_as_are_kept(keep in 0_u32..20, states in sample::states(30)) {
            let observed = sample::instances(states);
            let live_count = observed.iter().filter(|instance| is_live(instance)).count();
            let retired = retired(keep, &observed, &[]);
            prop_assert_eq!(live_count - retired.len(), live_count.min(keep as usize));
        }
    }
}
