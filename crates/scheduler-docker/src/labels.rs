//! What our containers carry: labels, and names for people.

use std::collections::HashMap;

use ambo_model::{AppId, AppName, Instance, InstanceId, InstanceState, ProcessType, ReleaseVersion, WorkloadId};
use ambo_scheduler::WorkloadSpec;

/// The app's name. Outsiders rely on this and the next two.
const APP: &str = "ambo.app";
const PROCESS: &str = "ambo.process";
const RELEASE: &str = "ambo.release";
const APP_ID: &str = "ambo.app-id";
const GENERATION: &str = "ambo.generation";
/// A copy's number. Copies that an engine makes by itself have it from the engine.
pub const INDEX: &str = "ambo.index";
const PORT: &str = "ambo.port";
const KIND: &str = "ambo.kind";
const PLATFORM: &str = "ambo.platform";

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One copy of a process.
    Instance,
    /// A one-off.
    Run,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Instance => "instance",
            Kind::Run => "run",
        }
    }
}

/// Who a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it is for.
    pub kind: Kind,
    /// What it is a copy of.
    pub workload: WorkloadId,
    /// The app's name when it was started.
    pub app_name: AppName,
    /// Which copy; from one.
    pub index: u32,
    /// Where it listens, if anybody is to reach it.
    pub port: Option<u16>,
}

impl Identity {
    /// A copy of a workload.
    #[must_use]
    pub fn of(spec: &WorkloadSpec, kind: Kind, index: u32) -> Self {
        Self { kind, workload: spec.id.clone(), app_name: spec.app_name.clone(), index, port: Some(spec.port) }
    }

    /// `web.1`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.workload.process, self.index)
    }

    /// `myapp.web.1.v7.1a2b3c4d`: no two are the same.
    pub(crate) fn container_name(&self) -> String {
        let Self { app_name, workload, .. } = self;
        format!("{app_name}.{}.{}.{:08x}", self.name(), workload.release, rand::random::<u32>())
    }

    /// What a container with this identity carries, on this platform.
    #[must_use]
    pub fn labels(&self, platform: &str) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (APP, self.app_name.to_string()),
            (PROCESS, self.workload.process.to_string()),
            (RELEASE, self.workload.release.0.to_string()),
            (APP_ID, self.workload.app.to_string()),
            (GENERATION, self.workload.generation.to_string()),
            (INDEX, self.index.to_string()),
            (KIND, self.kind.as_str().to_owned()),
            (PLATFORM, platform.to_owned()),
        ]);
        labels.extend(self.port.map(|port| (PORT, port.to_string())));
        labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Reads labels back; `None` when they are not whole.
    #[must_use]
    pub fn from_labels(labels: &HashMap<String, String>) -> Option<Self> {
        let label = |key: &str| labels.get(key).map(String::as_str);
        let kind = [Kind::Instance, Kind::Run].into_iter().find(|kind| label(KIND) == Some(kind.as_str()))?;
        Some(Self {
            kind,
            workload: WorkloadId {
                app: label(APP_ID)?.parse().ok()?,
                release: ReleaseVersion(label(RELEASE)?.parse().ok()?),
                process: ProcessType::parse(label(PROCESS)?).ok()?,
                generation: label(GENERATION)?.parse().ok()?,
            },
            app_name: AppName::parse(label(APP)?).ok()?,
            index: label(INDEX)?.parse().ok()?,
            port: label(PORT).and_then(|port| port.parse().ok()),
        })
    }

    /// The instance that a container with this identity is.
    #[must_use]
    pub fn instance(self, id: InstanceId, node: &str, state: InstanceState) -> Instance {
        Instance {
            id,
            workload: self.workload,
            app_name: self.app_name,
            index: self.index,
            state,
            endpoint: None,
            node: node.to_owned(),
            restarts: 0,
            started_at: None,
        }
    }
}

/// The app of a container, from its labels.
#[must_use]
pub fn app_id(labels: &HashMap<String, String>) -> Option<AppId> {
    labels.get(APP_ID)?.parse().ok()
}

/// Whether a container is this platform's.
#[must_use]
pub fn is_ours(labels: Option<&HashMap<String, String>>, platform: &str) -> bool {
    labels.and_then(|labels| labels.get(PLATFORM)).is_some_and(|owner| owner == platform)
}

/// Asks the engine for this platform's containers of a kind only; of one workload only, when given.
#[must_use]
pub fn filters(platform: &str, kind: Kind, workload: Option<&WorkloadId>) -> HashMap<String, Vec<String>> {
    let mut labels = vec![format!("{PLATFORM}={platform}"), format!("{KIND}={}", kind.as_str())];
    if let Some(workload) = workload {
        labels.push(format!("{APP_ID}={}", workload.app));
        labels.push(format!("{RELEASE}={}", workload.release.0));
        labels.push(format!("{PROCESS}={}", workload.process));
        labels.push(format!("{GENERATION}={}", workload.generation));
    }
    HashMap::from([("label".to_owned(), labels)])
}

/// Asks the engine for whatever this platform has of an app.
#[must_use]
pub fn app_filters(platform: &str, app: AppId) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![platform_filter(platform), format!("{APP_ID}={app}")])])
}

/// Asks the engine for all of this platform's containers, whatever their kind.
#[must_use]
pub fn platform_filter(platform: &str) -> String {
    format!("{PLATFORM}={platform}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_hold_all_that_an_instance_is() {
        let workload =
            WorkloadId { app: AppId::new(), release: ReleaseVersion(7), process: ProcessType::web(), generation: 2 };
        let app_name = AppName::parse("myapp").unwrap();
        let identity = Identity { kind: Kind::Instance, workload, app_name, index: 3, port: Some(8080) };
        let labels = identity.labels("p1");
        assert_eq!(Identity::from_labels(&labels), Some(identity.clone()));
        assert_eq!((&*labels["ambo.app"], &*labels["ambo.process"], &*labels["ambo.release"]), ("myapp", "web", "7"));
        assert!(is_ours(Some(&labels), "p1") && !is_ours(Some(&labels), "p2") && !is_ours(None, "p1"));
        assert!(identity.container_name().starts_with("myapp.web.3.v7."));
        assert_eq!(Identity::from_labels(&HashMap::new()), None);
    }
}
