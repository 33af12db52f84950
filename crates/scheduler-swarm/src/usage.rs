//! What the instances on one node use.

use std::collections::HashMap;

use ambo_engine_docker::Engine;
use ambo_model::InstanceUsage;
use ambo_scheduler::SchedulerError;
use ambo_scheduler_docker::labels::{self, Identity};

/// With which Swarm labels the container of a task: `service.slot.task`.
const TASK_NAME: &str = "com.docker.swarm.task.name";

/// The usage of every instance of a platform that runs on the engine of a node now, one-off runs included.
///
/// # Errors
/// When the engine does not answer.
pub async fn instances_usage(engine: &Engine, platform: &str) -> Result<Vec<InstanceUsage>, SchedulerError> {
    ambo_scheduler_docker::instances_usage(engine, platform, identity).await
}

/// A one-off run carries its number, a copy of a service has its slot's.
fn identity(labels: &HashMap<String, String>) -> Option<Identity> {
    let Some(slot) = labels.get(TASK_NAME).and_then(|name| name.rsplit('.').nth(1)) else {
        return Identity::from_labels(labels);
    };
    let mut carried = labels.clone();
    carried.insert(labels::INDEX.to_owned(), slot.to_owned());
    Identity::from_labels(&carried)
}

#[cfg(test)]
mod tests {
    use ambo_model::{AppId, AppName, ProcessType, ReleaseVersion, WorkloadId};
    use ambo_scheduler_docker::labels::Kind;

    use super::*;

    #[test]
    fn a_copy_of_a_service_has_the_number_of_its_slot() {
        let workload =
            WorkloadId { app: AppId::new(), release: ReleaseVersion(3), process: ProcessType::web(), generation: 1 };
        let known = Identity {
            kind: Kind::Instance,
            workload,
            app_name: AppName::parse("shop").unwrap(),
            index: 4,
            port: None,
        };
        let mut carried = known.labels("p");
        carried.remove(labels::INDEX);
        assert_eq!(identity(&carried), None);
        carried.insert(TASK_NAME.to_owned(), "ambo-shop.web.v3.4.k3x9".to_owned());
        assert_eq!(identity(&carried), Some(known.clone()));
        assert_eq!(identity(&known.labels("p")), Some(known));
    }
}
