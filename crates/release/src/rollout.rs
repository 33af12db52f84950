//! Planning a rollout: what to start, and what the formation is afterwards.

use std::fmt;

use ambo_model::{App, Command, Formation, ProcessTable, ProcessType, Release, ReleaseVersion, WorkloadId};

/// Which processes get new instances although their release stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// None: a new release.
    No,
    /// One.
    Process(ProcessType),
    /// All.
    All,
}

/// A workload that must be healthy before the routes switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub workload: WorkloadId,
    /// How many instances.
    pub count: u32,
    /// How each is started.
    pub command: Command,
}

/// A rollout as a value: it prints, and `apply` has nothing left to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutPlan {
    /// The release that will serve.
    pub release: ReleaseVersion,
    /// Run to its end before anything starts.
    pub release_phase: Option<Command>,
    /// Started beside what serves.
    pub start: Vec<Wanted>,
    /// The formation once the routes have switched.
    pub formation: Formation,
}

/// Plans the way from what serves to `target`.
///
/// The first deploy of an app scales `web` to one. Processes that have vanished keep no count, so that they do not come
/// back unasked when their name does.
#[must_use]
pub fn plan(app: &App, target: &Release, restart: &Restart) -> RolloutPlan {
    let empty = ProcessTable::default();
    let table = target.artifact.as_ref().map_or(&empty, |artifact| &artifact.processes);
    let mut formation = Formation::default();
    let mut start = Vec::new();
    for (process, entry) in table.scalable() {
        let mut wanted = app.formation.entry(process);
        if !app.scaled && process.is_web() {
            wanted.count = 1;
        }
        if restarts(restart, process) {
            wanted.generation += 1;
        }
        if wanted.count > 0 && (matches!(restart, Restart::No) || restarts(restart, process)) {
            start.push(Wanted {
                workload: workload(app, target.version, process, wanted.generation),
                count: wanted.count,
                command: entry.command.clone(),
            });
        }
        formation.0.insert(process.clone(), wanted);
    }
    let release_phase = matches!(restart, Restart::No).then(|| table.release_phase().cloned()).flatten();
    RolloutPlan { release: target.version, release_phase, start, formation }
}

/// What should run of an app while no rollout is on its way.
#[must_use]
pub fn steady(app: &App, serving: ReleaseVersion, processes: &ProcessTable) -> Vec<Wanted> {
    let wanted = processes.scalable().map(|(process, entry)| {
        let formation = app.formation.entry(process);
        Wanted {
            workload: workload(app, serving, process, formation.generation),
            count: formation.count,
            command: entry.command.clone(),
        }
    });
    wanted.collect()
}

fn restarts(restart: &Restart, process: &ProcessType) -> bool {
    match restart {
        Restart::No => false,
        Restart::Process(one) => one == process,
        Restart::All => true,
    }
}

fn workload(app: &App, release: ReleaseVersion, process: &ProcessType, generation: u32) -> WorkloadId {
    WorkloadId { app: app.id, release, process: process.clone(), generation }
}

impl fmt::Display for RolloutPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(command) = &self.release_phase {
            writeln!(f, "run the release phase: {command}")?;
        }
        for wanted in &self.start {
            writeln!(
                f,
                "start {} × {} of {}: {}",
                wanted.count, wanted.workload.process, self.release, wanted.command
            )?;
        }
        writeln!(f, "switch the routes to {}", self.release)?;
        write!(f, "drain and stop everything else")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::{Change, cut};
    use ambo_model::*;

    fn app() -> App {
        App {
            id: AppId::new(),
            name: AppName::parse("shop").unwrap(),
            owner: AccountId::new(),
            collaborators: Vec::new(),
            formation: Formation::default(),
            serving: None,
            last_version: ReleaseVersion(1),
            maintenance: false,
            scaled: false,
            buildpacks: Vec::new(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn release(app: &App, procfile: &str) -> Release {
        let mut release = cut(app.id, ReleaseVersion(2), None, &Change::Created, app.owner, Timestamp::UNIX_EPOCH);
        release.artifact = Some(Artifact {
            image: ImageDigest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap(),
            processes: Procfile::parse(procfile.as_bytes()).unwrap().process_table(),
            exposed_port: None,
            kind: "test".into(),
        });
        release
    }

    fn process(name: &str) -> ProcessType {
        ProcessType::parse(name).unwrap()
    }

    #[test]
    fn the_first_deploy_scales_web_to_one_and_nothing_else() {
        let app = app();
        let plan = plan(&app, &release(&app, "web: a\nworker: b\nrelease: c"), &Restart::No);
        assert_eq!(plan.start.len(), 1);
        assert_eq!(plan.formation.entry(&ProcessType::web()).count, 1);
        assert_eq!(plan.release_phase, Some(Command::Shell("c".into())));
        assert_eq!(
            plan.to_string(),
            "run the release phase: c\nstart 1 × web of v2: a\nswitch the routes to v2\ndrain and stop everything else"
        );
    }

    #[test]
    fn an_app_scaled_to_zero_stays_at_zero() {
        let mut app = app();
        app.scaled = true;
        assert_eq!(plan(&app, &release(&app, "web: a"), &Restart::No).start, []);
    }

    #[test]
    fn a_vanished_process_leaves_the_formation_only_with_the_plan() {
        let mut app = app();
        app.scaled = true;
        app.formation.entry_mut(&process("worker")).count = 3;
        app.formation.entry_mut(&process("web")).count = 2;
        let plan = plan(&app, &release(&app, "web: a"), &Restart::No);
        assert_eq!(plan.formation.entry(&process("worker")).count, 0);
        assert_eq!(plan.start[0].count, 2);
    }

    #[test]
    fn a_restart_is_a_new_generation_of_the_same_release_without_release_phase() {
        let mut app = app();
        app.scaled = true;
        app.formation.entry_mut(&process("web")).count = 2;
        app.formation.entry_mut(&process("worker")).count = 1;
        let release = release(&app, "web: a\nworker: b\nrelease: c");
        let plan = plan(&app, &release, &Restart::Process(process("web")));
        assert_eq!(plan.release_phase, None);
        assert_eq!(plan.start.len(), 1);
        assert_eq!(plan.start[0].workload.generation, 1);
        assert_eq!(plan.formation.entry(&process("worker")).generation, 0);
    }
}
