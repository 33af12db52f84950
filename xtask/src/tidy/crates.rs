//! Which crate may depend on which: the table of ARCHITECTURE.md, section 3.

use std::process::Command;

use anyhow::Context;
use serde_json::Value;

/// A crate and those of ours that it may know. Development dependencies are free.
const MAY_KNOW: [(&str, &[&str]); 26] = [
    ("ambo-model", &[]),
    ("ambo-atomic-file", &[]),
    ("ambo-blobs", &["ambo-model"]),
    ("ambo-gitreceive", &["ambo-model", "ambo-atomic-file", "ambo-blobs"]),
    ("ambo-builder", &["ambo-model", "ambo-engine-docker"]),
    ("ambo-registry", &["ambo-model", "ambo-blobs"]),
    ("ambo-release", &["ambo-model"]),
    ("ambo-scheduler", &["ambo-model"]),
    ("ambo-engine-docker", &[]),
    ("ambo-scheduler-docker", &["ambo-model", "ambo-scheduler", "ambo-engine-docker"]),
    ("ambo-scheduler-swarm", &["ambo-model", "ambo-scheduler", "ambo-engine-docker", "ambo-scheduler-docker"]),
    ("ambo-rendezvous", &["ambo-scheduler"]),
    ("ambo-router", &["ambo-model", "ambo-atomic-file"]),
    ("ambo-logs", &["ambo-model"]),
    ("ambo-metrics", &["ambo-model"]),
    ("ambo-store", &[]),
    ("ambo-store-etcd", &["ambo-model", "ambo-store"]),
    ("ambo-backup", &["ambo-model", "ambo-atomic-file", "ambo-store", "ambo-blobs", "ambo-registry"]),
    ("ambo-link", &["ambo-model"]),
    ("ambo-dns", &["ambo-model"]),
    (
        "ambo-controller",
        &[
            "ambo-model",
            "ambo-atomic-file",
            "ambo-store",
            "ambo-gitreceive",
            "ambo-builder",
            "ambo-release",
            "ambo-scheduler",
            "ambo-logs",
        ],
    ),
    ("ambo-api-types", &[]),
    (
        "ambo-api",
        &[
            "ambo-model",
            "ambo-api-types",
            "ambo-controller",
            "ambo-release",
            "ambo-rendezvous",
            "ambo-scheduler",
            "ambo-logs",
        ],
    ),
    ("ambo-client", &["ambo-api-types"]),
    ("ambo-operator", &["ambo-model", "ambo-atomic-file", "ambo-engine-docker", "ambo-link"]),
    ("ambo", &["ambo-api-types", "ambo-client", "ambo-operator"]),
];

pub(crate) fn faults() -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for package in packages()? {
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(known, _)| *known == name) else { continue };
        for known in known_by(&package) {
            if !allowed.contains(&known.as_str()) {
                faults.push(format!("{name} depends on {known}, which ARCHITECTURE.md's table does not allow"));
            }
        }
    }
    Ok(faults)
}

fn packages() -> anyhow::Result<Vec<Value>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .context("run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("read cargo's metadata")?;
    Ok(metadata["packages"].as_array().cloned().unwrap_or_default())
}

fn known_by(package: &Value) -> Vec<String> {
    let dependencies = package["dependencies"].as_array().cloned().unwrap_or_default();
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|name| *name == "ambo" || name.starts_with("ambo-"))
        .map(str::to_owned)
        .collect()
}
