//! A platform's state as if its users had made it: apps with a release that serves, and what the engine runs of them.

use std::collections::BTreeMap;

use ambo_controller::vault::{Sealed, Vault};
use ambo_controller::{keys, records};
use ambo_model::{
    AccountId, App, AppId, AppName, Artifact, Config, ConfigKey, Formation, FormationEntry, ImageDigest,
    ImageReference, Limits, ProcessType, Procfile, ReleaseCause, ReleaseId, ReleaseStatus, ReleaseVersion, Secret,
    Tags, Timestamp, WorkloadId,
};
use ambo_scheduler::WorkloadSpec;
use ambo_store::Transaction;
use serde::Serialize;

use super::Size;

/// Config variables of each app.
const CONFIG_KEYS: usize = 12;
/// What each app runs: of ten instances, eight are `web`.
const PROCFILE: &str = "web: sleep infinity\nworker: sleep infinity\n";
/// The release that serves.
const SERVING: ReleaseVersion = ReleaseVersion(3);
/// Where instances listen.
const PORT: u16 = 5000;

/// A release in the form in which the control plane keeps it.
#[derive(Serialize)]
struct Release {
    id: ReleaseId,
    version: ReleaseVersion,
    artifact: Artifact,
    config: Sealed,
    cause: ReleaseCause,
    author: AccountId,
    summary: String,
    status: ReleaseStatus,
    created_at: Timestamp,
}

/// An app of the simulation.
pub(super) struct Seed {
    app: App,
    artifact: Artifact,
}

impl Seed {
    /// The app of this number, counted from zero.
    pub(super) fn new(number: usize, size: &Size) -> Self {
        let owner = AccountId::new();
        let procfile = Procfile::parse(PROCFILE.as_bytes()).expect("a Procfile");
        let image = ImageDigest::parse(&format!("sha256:{number:064x}")).expect("a digest");
        let artifact =
            Artifact { image, processes: procfile.process_table(), exposed_port: None, kind: "simulated".to_owned() };
        let app = App {
            id: AppId::new(),
            name: AppName::parse(&format!("app-{number}")).expect("a name"),
            owner,
            collaborators: Vec::new(),
            formation: formation(size.instances_of(number)),
            serving: Some(SERVING),
            last_version: SERVING,
            maintenance: false,
            scaled: true,
            buildpacks: Vec::new(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        };
        Self { app, artifact }
    }

    /// What lies in the store of it.
    pub(super) fn records(&self, vault: &Vault) -> Transaction {
        let app = &self.app;
        let release = Release {
            id: ReleaseId::new(),
            version: SERVING,
            artifact: self.artifact.clone(),
            config: vault.seal(app.id, SERVING, &config()),
            cause: ReleaseCause::Build,
            author: app.owner,
            summary: "Deploy 0123456".to_owned(),
            status: ReleaseStatus::Succeeded,
            created_at: Timestamp::UNIX_EPOCH,
        };
        Transaction::new()
            .put(keys::app(app.id), records::json(app))
            .put(keys::app_name(&app.name), records::json(&app.id))
            .put(keys::release(app.id, SERVING), records::json(&release))
    }

    /// What the engine runs of it.
    pub(super) fn workloads(&self) -> Vec<WorkloadSpec> {
        let workload = |(process, entry): (&ProcessType, &FormationEntry)| WorkloadSpec {
            id: WorkloadId { app: self.app.id, release: SERVING, process: process.clone(), generation: 0 },
            app_name: self.app.name.clone(),
            image: ImageReference::pinned(self.app.name.as_str(), &self.artifact.image),
            command: self.artifact.processes.get(process).expect("a process of the Procfile").command.clone(),
            env: BTreeMap::new(),
            limits: Limits::default(),
            tags: Tags::default(),
            port: PORT,
            count: entry.count,
        };
        self.app.formation.0.iter().map(workload).collect()
    }

    /// How many of its instances are routed to.
    pub(super) fn web(&self) -> usize {
        self.app.formation.entry(&ProcessType::web()).count as usize
    }
}

fn formation(instances: u32) -> Formation {
    let worker = instances / 5;
    let entry = |count| FormationEntry { count, ..FormationEntry::default() };
    let processes =
        [(ProcessType::web(), instances - worker), (ProcessType::parse("worker").expect("a process"), worker)];
    Formation(processes.map(|(process, count)| (process, entry(count))).into())
}

fn config() -> Config {
    let variable = |number| {
        let key = ConfigKey::parse(&format!("SETTING_{number}")).expect("a key");
        (key, Some(Secret::new(format!("the value of setting {number}, as long as most"))))
    };
    Config::default().merged(&(0..CONFIG_KEYS).map(variable).collect())
}
