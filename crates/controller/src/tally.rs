//! Every app counted: what is wanted of it, and what there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambo_model::{App, AppId, AppTally, Instance};
use ambo_release::Wanted;
use parking_lot::Mutex;

use crate::controller::Controller;

/// The count that was made last.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<Arc<Vec<AppTally>>>);

/// A count under way.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<AppId, AppTally>);

impl Tally {
    /// Adds an app and what is wanted of it.
    pub(crate) fn app_add(&mut self, app: &App, wanted: &[Wanted]) {
        let mut tally =
            AppTally { id: app.id, name: app.name.clone(), serving: app.serving, processes: BTreeMap::new() };
        for Wanted { workload, count, .. } in wanted {
            tally.processes.entry(workload.process.clone()).or_default().wanted += count;
        }
        self.0.insert(app.id, tally);
    }

    /// Adds an instance in a state. Those of an app that is no more are not counted.
    fn instance_add(&mut self, instance: &Instance, state: &'static str) {
        if let Some(tally) = self.0.get_mut(&instance.workload.app) {
            let process = tally.processes.entry(instance.workload.process.clone()).or_default();
            *process.instances.entry(state).or_default() += 1;
        }
    }
}

impl Controller {
    /// Every app, as it was seen when the formations were last compared with what runs: at most some seconds ago, unless the
    /// engine or the store does not answer. Empty until the first look.
    #[must_use]
    pub fn tally(&self) -> Arc<Vec<AppTally>> {
        Arc::clone(&self.tallies.0.lock())
    }

    /// Ends a count with the instances that were observed.
    pub(crate) fn tally_end<'a>(&self, mut tally: Tally, observed: impl Iterator<Item = &'a Instance>) {
        for instance in observed {
            tally.instance_add(instance, self.instance_word(instance));
        }
        *self.tallies.0.lock() = Arc::new(tally.0.into_values().collect());
    }
}

#[cfg(test)]
mod tests {
    use ambo_model::{AppName, Formation, ProcessType, ReleaseVersion, Timestamp, WorkloadId};

    use super::*;

    fn workload(app: AppId, version: u64) -> WorkloadId {
        WorkloadId { app, release: ReleaseVersion(version), process: ProcessType::web(), generation: 0 }
    }

    fn instance(workload: WorkloadId) -> Instance {
        Instance { workload, ..crate::board::tests::instance() }
    }

    #[test]
    fn what_is_wanted_and_what_is_left_of_another_release_are_counted_together() {
        let now = Timestamp::UNIX_EPOCH;
        let app = App {
            id: AppId::new(),
            name: AppName::parse("shop").unwrap(),
            owner: ambo_model::AccountId::new(),
            collaborators: Vec::new(),
            formation: Formation::default(),
            serving: Some(ReleaseVersion(2)),
            last_version: ReleaseVersion(2),
            maintenance: false,
            scaled: true,
            buildpacks: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        let command = ambo_model::Command::Shell("serve".to_owned());
        let mut tally = Tally::default();
        tally.app_add(&app, &[Wanted { workload: workload(app.id, 2), count: 3, command }]);
        for (version, state) in [(2, "up"), (2, "up"), (1, "stopping")] {
            tally.instance_add(&instance(workload(app.id, version)), state);
        }
        tally.instance_add(&instance(workload(AppId::new(), 1)), "stopping");

        let counted: Vec<AppTally> = tally.0.into_values().collect();
        assert_eq!((counted.len(), counted[0].serving), (1, Some(ReleaseVersion(2))));
        let web = &counted[0].processes[&ProcessType::web()];
        assert_eq!((web.wanted, &web.instances), (3, &BTreeMap::from([("up", 2), ("stopping", 1)])));
    }
}
