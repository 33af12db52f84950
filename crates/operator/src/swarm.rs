//! The swarm's own things, in the words of the Engine API (v1.41: Swarm, Nodes, Services, Secrets).

use ambo_engine_docker::http::Method;
use ambo_engine_docker::{Engine, EngineError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

/// A node as a manager lists it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SwarmNode {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// What it is to be.
    pub spec: NodeSpec,
    /// What it said of itself.
    pub description: NodeDescription,
    /// How it is.
    pub status: NodeStatus,
    /// What it is as a manager.
    #[serde(default)]
    pub manager_status: Option<ManagerStatus>,
}

/// What a node is to be.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeSpec {
    /// `manager` or `worker`.
    pub role: String,
    /// `active`, `pause` or `drain`.
    pub availability: String,
    /// By which workloads choose.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
}

/// What a node said of itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeDescription {
    /// The machine's name.
    pub hostname: String,
}

/// How a node is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeStatus {
    /// `ready`, `down` …
    pub state: String,
    /// Its address.
    #[serde(default)]
    pub addr: String,
}

/// A manager's part.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ManagerStatus {
    /// Whether it leads the swarm.
    #[serde(default)]
    pub leader: bool,
    /// `reachable` or `unreachable`.
    #[serde(default)]
    pub reachability: String,
    /// Where other managers reach it.
    #[serde(default)]
    pub addr: String,
}

/// A service with what is needed to change it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SwarmService {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its version.
    pub version: Version,
    /// What it is to be, as it was given.
    pub spec: Value,
    /// How its last change goes.
    #[serde(default)]
    pub update_status: Option<UpdateStatus>,
}

/// The index by which a change says what it has seen.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// The index.
    pub index: u64,
}

/// How a change goes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateStatus {
    /// `updating`, `completed`, `paused`, `rollback_started`, `rollback_completed` …
    #[serde(default)]
    pub state: String,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// A task of a service.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SwarmTask {
    /// The node that it is on.
    #[serde(rename = "NodeID", default)]
    pub node_id: String,
    /// Of which change of its service it is.
    #[serde(default)]
    pub spec: TaskSpec,
    /// What it is to be: `running`, `shutdown` …
    pub desired_state: String,
    /// How it is.
    pub status: TaskStatus,
}

/// What a task is of.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskSpec {
    /// Higher with every change.
    #[serde(default)]
    pub force_update: u64,
}

/// How a task is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskStatus {
    /// `running`, `starting`, `failed` …
    pub state: String,
    /// What went wrong.
    #[serde(default)]
    pub err: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    #[serde(rename = "ID")]
    id: String,
    spec: NamedSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamedSpec {
    name: String,
}

/// The swarm itself, with what is needed to change it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SwarmWhole {
    version: Version,
    /// What it is to be, as it was given.
    pub(crate) spec: Value,
    /// With which machines join.
    pub(crate) join_tokens: JoinTokens,
}

/// With which machines join.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct JoinTokens {
    /// As workers.
    pub(crate) worker: String,
}

/// A swarm, through one of its managers.
#[derive(Debug, Clone)]
pub struct Swarm(pub Engine);

impl Swarm {
    /// Its nodes.
    ///
    /// # Errors
    /// When the engine does not answer or is no manager.
    pub async fn nodes(&self) -> Result<Vec<SwarmNode>, EngineError> {
        self.get("/nodes").await
    }

    /// Its services whose names begin so.
    ///
    /// # Errors
    /// When the engine does not answer or is no manager.
    pub async fn services(&self, prefix: &str) -> Result<Vec<SwarmService>, EngineError> {
        let services: Vec<SwarmService> = self.get("/services?status=true").await?;
        Ok(services.into_iter().filter(|service| service.name().starts_with(prefix)).collect())
    }

    /// The tasks of a service.
    ///
    /// # Errors
    /// When the engine does not answer or is no manager.
    pub async fn tasks(&self, service: &str) -> Result<Vec<SwarmTask>, EngineError> {
        let filters = json!({ "service": { service: true } }).to_string();
        self.get(&format!("/tasks?filters={}", utf8_percent_encode(&filters, NON_ALPHANUMERIC))).await
    }

    /// Makes a service.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn service_create(&self, spec: &Value) -> Result<(), EngineError> {
        let _: Value = self.0.raw(Method::POST, "/services/create", Some(spec)).await?;
        Ok(())
    }

    /// Changes a service from what was seen.
    ///
    /// # Errors
    /// When the engine refuses, or it was changed meanwhile.
    pub async fn service_update(&self, seen: &SwarmService, spec: &Value) -> Result<(), EngineError> {
        let path = format!("/services/{}/update?version={}", seen.id, seen.version.index);
        let _: Value = self.0.raw(Method::POST, &path, Some(spec)).await?;
        Ok(())
    }

    /// Removes a service.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn service_remove(&self, id: &str) -> Result<(), EngineError> {
        self.0.client().await?.delete_service(id).await.map_err(EngineError::from)
    }

    /// Makes a secret; gives its id.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn secret_create(&self, name: &str, content: &[u8]) -> Result<String, EngineError> {
        let spec = ambo_engine_docker::bollard::models::SecretSpec {
            name: Some(name.to_owned()),
            data: Some(STANDARD.encode(content)),
            ..Default::default()
        };
        Ok(self.0.client().await?.create_secret(spec).await.map_err(EngineError::from)?.id)
    }

    /// Ids and names of the secrets whose names begin so.
    ///
    /// # Errors
    /// When the engine does not answer or is no manager.
    pub async fn secrets(&self, prefix: &str) -> Result<Vec<(String, String)>, EngineError> {
        let secrets: Vec<Named> = self.get("/secrets").await?;
        let named = secrets.into_iter().map(|secret| (secret.id, secret.spec.name));
        Ok(named.filter(|(_, name)| name.starts_with(prefix)).collect())
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// When a service still has it.
    pub async fn secret_remove(&self, id: &str) -> Result<(), EngineError> {
        self.0.client().await?.delete_secret(id).await.map_err(EngineError::from)
    }

    /// How often nodes say that they are alive. Swarm counts one as down after three times that.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn heartbeat_set(&self, every: std::time::Duration) -> Result<(), EngineError> {
        let nanos = json!(u64::try_from(every.as_nanos()).unwrap_or(u64::MAX));
        let seen = self.whole().await?;
        if seen.spec["Dispatcher"]["HeartbeatPeriod"] == nanos {
            return Ok(());
        }
        self.change(seen, "", |spec| spec["Dispatcher"]["HeartbeatPeriod"] = nanos).await
    }

    /// The swarm as it is to be.
    pub(crate) async fn whole(&self) -> Result<SwarmWhole, EngineError> {
        self.get("/swarm").await
    }

    /// Changes the swarm from what was seen, with these words of the request besides.
    pub(crate) async fn change(
        &self,
        mut seen: SwarmWhole,
        words: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), EngineError> {
        change(&mut seen.spec);
        let path = format!("/swarm/update?version={}{words}", seen.version.index);
        self.0.raw_empty(Method::POST, &path, Some(&seen.spec)).await
    }

    /// The tasks on a node.
    ///
    /// # Errors
    /// When the engine does not answer or is no manager.
    pub async fn tasks_on(&self, node: &str) -> Result<Vec<SwarmTask>, EngineError> {
        let filters = json!({ "node": { node: true } }).to_string();
        self.get(&format!("/tasks?filters={}", utf8_percent_encode(&filters, NON_ALPHANUMERIC))).await
    }

    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        self.0.raw(Method::GET, path, None::<&()>).await
    }
}

impl SwarmNode {
    /// Its address; a manager is listed as unspecified to itself.
    #[must_use]
    pub fn address(&self) -> Option<std::net::IpAddr> {
        let of_manager =
            self.manager_status.as_ref().and_then(|manager| manager.addr.parse::<std::net::SocketAddr>().ok());
        of_manager.map(|address| address.ip()).or_else(|| self.status.addr.parse().ok())
    }
}

impl SwarmService {
    /// How often it was changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.spec["TaskTemplate"]["ForceUpdate"].as_u64().unwrap_or(0)
    }

    /// Its image.
    #[must_use]
    pub fn image(&self) -> &str {
        self.spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap_or_default()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.spec["Name"].as_str().unwrap_or_default()
    }
}
