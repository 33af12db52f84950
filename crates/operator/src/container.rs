//! A component as the container that the engine makes of it.

use std::collections::HashMap;

use ambo_engine_docker::bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, RestartPolicy, RestartPolicyNameEnum,
};
use sha2::{Digest, Sha256};

use crate::component::Component;

/// Names the component on its container.
pub(crate) const COMPONENT_LABEL: &str = "ambo.component";
/// The digest of how it is run: another one, another container.
pub(crate) const DIGEST_LABEL: &str = "ambo.digest";

/// The container's name; unlike that of its predecessor.
pub(crate) fn name(component: &Component) -> String {
    format!("ambo-{}-{}", component.name, digest(component).get(..8).unwrap_or_default())
}

/// Of everything that makes the container what it is.
pub(crate) fn digest(component: &Component) -> String {
    hex::encode(Sha256::digest(format!("{component:?}")))
}

/// What the engine is asked for.
pub(crate) fn body(component: &Component) -> ContainerCreateBody {
    let labels = [(COMPONENT_LABEL, component.name.to_owned()), (DIGEST_LABEL, digest(component))];
    ContainerCreateBody {
        image: Some(component.image.clone()),
        entrypoint: Some(Vec::new()),
        cmd: Some(component.command.clone()),
        env: Some(component.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        stop_timeout: Some(i64::from(component.grace_seconds)),
        host_config: Some(host(component)),
        ..ContainerCreateBody::default()
    }
}

fn host(component: &Component) -> HostConfig {
    let mount = |(path, is_read_only): &(String, bool)| Mount {
        target: Some(path.clone()),
        source: Some(path.clone()),
        typ: Some(MountType::BIND),
        read_only: Some(*is_read_only),
        ..Mount::default()
    };
    let logs = [("max-size", "10m"), ("max-file", "3")];
    HostConfig {
        network_mode: Some(if component.is_on_host { "host" } else { "bridge" }.to_owned()),
        mounts: Some(component.mounts.iter().map(mount).collect()),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(component.capabilities.iter().map(|name| (*name).to_owned()).collect()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([("/tmp".to_owned(), "rw,nosuid,nodev,size=256m".to_owned())])),
        init: Some(true),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(logs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        }),
        ..HostConfig::default()
    }
}
