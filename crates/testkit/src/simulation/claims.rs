//! What holds whenever all is at rest.

use std::collections::BTreeMap;

use ambo_controller::releases::{ReleasePage, ReleaseSummary};
use ambo_model::{App, BuildStatus, ReleaseStatus, ReleaseVersion, WorkloadId};
use ambo_release::Restart;

use super::Simulation;

/// Most releases and builds of a simulated app.
const RECORDS_MAX: usize = 1000;

impl Simulation {
    /// What does not hold now, or does not hold yet.
    pub async fn complaints(&mut self) -> Vec<String> {
        let (app, releases) = (self.record().await, self.releases().await);
        let mut complaints = self.unfinished(&releases).await;
        complaints.extend(self.numbers(&app, &releases));
        complaints.extend(self.serving(&app, &releases).await);
        complaints.extend(self.instances(&app, &releases).await);
        for workload in self.router.routed() {
            let release = releases.iter().find(|release| release.version == workload.release);
            if release.is_none_or(|release| release.status != ReleaseStatus::Succeeded) {
                complaints.push(format!("{workload} was routed, and its release has not succeeded: {release:?}"));
            }
        }
        complaints
    }

    /// All releases, oldest first.
    pub async fn releases(&self) -> Vec<ReleaseSummary> {
        let page = ReleasePage { after: None, limit: RECORDS_MAX, descending: false };
        self.controller().release_list(&self.caller, &self.name(), page).await.expect("list the releases").1
    }

    /// Nothing is pending, and no job is left.
    async fn unfinished(&self, releases: &[ReleaseSummary]) -> Vec<String> {
        let pending = releases.iter().filter(|release| release.status == ReleaseStatus::Pending);
        let mut unfinished: Vec<String> = pending.map(|release| format!("{} is pending", release.version)).collect();
        let builds = self.controller().build_list(&self.caller, &self.name(), RECORDS_MAX).await;
        for build in builds.expect("list the builds").1 {
            if build.status == BuildStatus::Pending {
                unfinished.push(format!("build {} is pending", build.id));
            }
        }
        let jobs = ambo_store::Store::list(&self.store, "jobs/", ambo_store::Page::default()).await;
        unfinished.extend(jobs.expect("list the jobs").entries.iter().map(|job| format!("{} is left", job.key)));
        unfinished
    }

    /// Numbers only grow, and none is left out.
    fn numbers(&mut self, app: &App, releases: &[ReleaseSummary]) -> Vec<String> {
        let mut complaints = Vec::new();
        let numbers: Vec<u64> = releases.iter().map(|release| release.version.0).collect();
        if numbers != (1..=app.last_version.0).collect::<Vec<_>>() {
            complaints.push(format!("the releases are {numbers:?}, the last is {}", app.last_version));
        }
        if app.last_version < self.promised {
            complaints.push(format!("the last release was {} before {}", self.promised, app.last_version));
        }
        self.promised = app.last_version;
        complaints
    }

    /// The newest release that has succeeded serves, and its build has succeeded.
    async fn serving(&self, app: &App, releases: &[ReleaseSummary]) -> Vec<String> {
        let good = |release: &&ReleaseSummary| release.artifact.is_some() && release.status == ReleaseStatus::Succeeded;
        let newest = releases.iter().rfind(good);
        if app.serving != newest.map(|release| release.version) {
            return vec![format!("{:?} serves, the newest good release is {newest:?}", app.serving)];
        }
        let Some(build) = newest.and_then(|release| release.build) else { return Vec::new() };
        let found = self.controller().build_find(&self.caller, &self.name(), &build.to_string()).await;
        match found.expect("find the build").1.status {
            BuildStatus::Succeeded { .. } => Vec::new(),
            status => vec![format!("build {build} of the release that serves: {status:?}")],
        }
    }

    /// What is wanted runs, nothing else does, and what runs of `web` is routed.
    async fn instances(&self, app: &App, releases: &[ReleaseSummary]) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut exist: BTreeMap<WorkloadId, u32> = BTreeMap::new();
        let (instances, running) = (self.engine.instances(), self.running());
        for instance in &instances {
            *exist.entry(instance.workload.clone()).or_default() += 1;
        }
        let wanted = wanted(app, releases);
        if exist != wanted {
            complaints.push(format!("{exist:?} exist, {wanted:?} are wanted"));
        }
        if running.len() != instances.len() {
            complaints.push(format!("not all of these run: {instances:?}"));
        }
        let mut web: Vec<_> = running.into_iter().filter(|i| i.workload.process.is_web()).map(|i| i.id).collect();
        let route = self.router.route(self.app);
        let targets = route.map(|route| route.targets).unwrap_or_default();
        let mut targets: Vec<_> = targets.into_iter().map(|target| target.instance).collect();
        web.sort();
        targets.sort();
        if web != targets {
            complaints.push(format!("{targets:?} are routed, {web:?} run"));
        }
        complaints
    }

    /// A release by its number.
    pub async fn release(&self, version: ReleaseVersion) -> ReleaseSummary {
        self.releases().await.into_iter().find(|release| release.version == version).expect("the release is there")
    }

    /// A restart of everything, acknowledged.
    ///
    /// # Errors
    /// As the control plane's.
    pub async fn restart_all(&self) -> Result<(), ambo_controller::ControllerError> {
        let now = ambo_model::Timestamp::now();
        self.controller().app_restart(&self.caller, &self.name(), Restart::All, now).await.map(drop)
    }
}

/// Which workloads the app's formation wants, and how many instances of each.
fn wanted(app: &App, releases: &[ReleaseSummary]) -> BTreeMap<WorkloadId, u32> {
    let serving = releases.iter().find(|release| Some(release.version) == app.serving);
    let Some((release, artifact)) = serving.and_then(|release| Some((release, release.artifact.as_ref()?))) else {
        return BTreeMap::new();
    };
    let workload = |process: &ambo_model::ProcessType| {
        let entry = app.formation.entry(process);
        let (release, generation) = (release.version, entry.generation);
        (WorkloadId { app: app.id, release, process: process.clone(), generation }, entry.count)
    };
    artifact.processes.scalable().map(|(process, _)| workload(process)).filter(|(_, count)| *count > 0).collect()
}
