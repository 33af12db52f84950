//! What it takes to bring a workload to its count. Pure: engines differ in how they start and stop, never in what.

use std::collections::BTreeSet;
use std::fmt;

use ambo_model::{Instance, InstanceId, InstanceState, ProcessType};

use crate::workload::WorkloadSpec;

/// The steps that bring a workload to its count. Prints one step a line; empty when nothing is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadPlan {
    /// The process, for printing.
    pub process: ProcessType,
    /// Instances that have ended: what is left of them goes before their place is taken.
    pub remove: Vec<Removal>,
    /// Indexes to start.
    pub start: Vec<u32>,
}

/// An instance whose remains go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Which.
    pub instance: InstanceId,
    /// Its index.
    pub index: u32,
}

impl WorkloadPlan {
    /// Whether nothing is to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.start.is_empty()
    }
}

impl fmt::Display for WorkloadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for removal in &self.remove {
            writeln!(f, "remove {}.{}, which has ended ({})", self.process, removal.index, removal.instance)?;
        }
        for index in &self.start {
            writeln!(f, "start {}.{index}", self.process)?;
        }
        Ok(())
    }
}

/// Decides the steps. Pure. Instances of other workloads are passed over, so `observed` may be everything there is.
///
/// What has ended is removed, what is missing is started under the lowest free indexes. An instance that runs, starts or
/// crashes again and again holds its place; one that is stopping does not. Nothing that runs is ever stopped.
#[must_use]
pub fn plan(spec: &WorkloadSpec, observed: &[Instance]) -> WorkloadPlan {
    let ours = || observed.iter().filter(|instance| instance.workload == spec.id);
    let taken: BTreeSet<u32> = ours().filter(|instance| is_live(instance)).map(|instance| instance.index).collect();
    let live_count = ours().filter(|instance| is_live(instance)).count();
    let missing_count = (spec.count as usize).saturating_sub(live_count);
    let remove = ours()
        .filter(|instance| matches!(instance.state, InstanceState::Exited { .. }))
        .map(|instance| Removal { instance: instance.id.clone(), index: instance.index })
        .collect();
    let start = (1..).filter(|index| !taken.contains(index)).take(missing_count).collect();
    WorkloadPlan { process: spec.id.process.clone(), remove, start }
}

/// Whether the instance holds one of its workload's places.
pub(crate) fn is_live(instance: &Instance) -> bool {
    match instance.state {
        InstanceState::Starting | InstanceState::Running | InstanceState::Crashed { .. } => true,
        InstanceState::Exited { .. } | InstanceState::Stopping => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    #[test]
    fn a_plan_prints_its_steps() {
        let observed = [
            sample::instance("a", 1, InstanceState::Running),
            sample::instance("b", 2, InstanceState::Exited { exit_code: Some(1) }),
        ];
        let plan = plan(&sample::spec(3), &observed);
        insta::assert_snapshot!(plan, @r"
        remove web.2, which has ended (b)
        start web.2
        start web.3
        ");
    }

    #[test]
    fn what_is_as_wanted_needs_no_steps() {
        let observed = [
            sample::instance("a", 1, InstanceState::Running),
            sample::instance("b", 3, InstanceState::Crashed { exit_code: None }),
        ];
        assert!(plan(&sample::spec(2), &observed).is_empty());
        assert!(plan(&sample::spec(1), &observed).is_empty(), "more than wanted is not the plan's to stop");
        assert_eq!(plan(&sample::spec(2), &observed).to_string(), "");
    }

    #[test]
    fn other_workloads_are_passed_over() {
        let mut other = sample::instance("a", 1, InstanceState::Exited { exit_code: None });
        other.workload.generation += 1;
        assert_eq!(plan(&sample::spec(1), &[other]).start, [1]);
        let none: [Instance; 0] = [];
        assert!(plan(&sample::spec(0), &none).is_empty());
    }

    /// Applies a plan as an engine does: what is removed is gone, what is started runs.
    fn apply(plan: &WorkloadPlan, observed: &mut Vec<Instance>) {
        observed.retain(|instance| plan.remove.iter().all(|removal| removal.instance != instance.id));
        for index in &plan.start {
            observed.push(sample::instance(&format!("new{index}"), *index, InstanceState::Running));
        }
    }

    proptest! {
        #[test]
        fn applying_a_plan_reaches_the_count_and_stops_nothing(count in 0_u32..20, states in sample::states(30)) {
            let mut observed = sample::instances(states);
            let spec = sample::spec(count);
            let before: Vec<Instance> = observed.iter().filter(|instance| is_live(instance)).cloned().collect();
            let plan = plan(&spec, &observed);
            apply(&plan, &mut observed);

            let live: Vec<&Instance> = observed.iter().filter(|instance| is_live(instance)).collect();
            prop_assert_eq!(live.len(), before.len().max(count as usize), "reached and never exceeded");
            prop_assert!(before.iter().all(|instance| live.contains(&instance)), "nothing live is touched");
            let indexes: BTreeSet<u32> = live.iter().map(|instance| instance.index).collect();
            prop_assert!(plan.start.iter().all(|index| indexes.contains(index)));
            prop_assert!(plan.start.iter().all(|index| before.iter().all(|instance| instance.index != *index)));
            prop_assert!(super::plan(&spec, &observed).is_empty(), "a second plan is empty");
        }
    }
}
