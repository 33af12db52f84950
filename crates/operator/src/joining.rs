//! Machines that join the swarm.
//!
//! The token with which they do has no end in Swarm. Until when ours is good is a label of the swarm; once that has passed, the
//! leading controller has the swarm make another.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use ambo_engine_docker::http::Method;
use ambo_engine_docker::{Engine, EngineError};
use ambo_model::{Secret, Timestamp};
use serde_json::{Value, json};

use crate::swarm::{Swarm, SwarmNode};

/// Says until when the token is good.
const UNTIL_LABEL: &str = "ambo.join-until";
/// Where managers listen for machines that join.
pub const SWARM_PORT: u16 = 2377;
/// Where a machine's labels wait for its keeper, which brings them to the platform.
pub const LABELS_FILE: &str = "labels";

/// With what another machine joins as a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// The token. Whoever has it may join.
    pub token: Secret,
    /// Where a manager listens.
    pub manager: IpAddr,
    /// Until when the token is good.
    pub until: Timestamp,
}

/// With what another machine joins as a worker, until then at least: a token that was given before stays good as long as was
/// said.
///
/// # Errors
/// When the engine is no manager.
pub async fn joining(swarm: &Swarm, until: Timestamp) -> Result<Joining, EngineError> {
    let seen = swarm.whole().await?;
    let token = Secret::new(seen.join_tokens.worker.clone());
    let until = good_until(&seen.spec).map_or(until, |known| known.max(until));
    swarm.change(seen, "", |spec| spec["Labels"][UNTIL_LABEL] = json!(until.to_string())).await?;
    let nodes = swarm.nodes().await?;
    let reachable =
        |node: &&SwarmNode| node.manager_status.as_ref().is_some_and(|manager| manager.reachability == "reachable");
    let manager = nodes.iter().filter(reachable).find_map(SwarmNode::address);
    let manager = manager.ok_or_else(|| EngineError::down("no manager of the swarm has an address"))?;
    Ok(Joining { token, manager, until })
}

/// Has the swarm make another token when the time of the one that was given out has passed. Whether it did.
///
/// # Errors
/// When the engine is no manager, or the swarm was changed meanwhile.
pub async fn token_retire(swarm: &Swarm, now: Timestamp) -> Result<bool, EngineError> {
    let seen = swarm.whole().await?;
    if good_until(&seen.spec).is_none_or(|until| until > now) {
        return Ok(false);
    }
    let forget = |spec: &mut Value| drop(spec["Labels"].as_object_mut().and_then(|labels| labels.remove(UNTIL_LABEL)));
    swarm.change(seen, "&rotateWorkerToken=true", forget).await?;
    Ok(true)
}

fn good_until(spec: &Value) -> Option<Timestamp> {
    spec["Labels"][UNTIL_LABEL].as_str()?.parse().ok()
}

/// Has this engine join as a worker.
///
/// # Errors
/// When it is in a swarm already, or the manager refuses.
pub async fn join(engine: &Engine, manager: SocketAddr, token: &Secret) -> Result<(), EngineError> {
    let own = address_towards(manager).map_err(|error| EngineError::down(format!("no way to {manager}: {error}")))?;
    let asked = json!({
        "ListenAddr": format!("0.0.0.0:{SWARM_PORT}"),
        "AdvertiseAddr": own.to_string(),
        "RemoteAddrs": [manager.to_string()],
        "JoinToken": token.reveal(),
    });
    engine.raw_empty(Method::POST, "/swarm/join", Some(&asked)).await
}

/// The address of this machine that the manager sees. Nothing is sent.
fn address_towards(manager: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if manager.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(manager)?;
    Ok(socket.local_addr()?.ip())
}

/// A label that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no label: write it as region=eu")]
pub struct LabelError(String);

/// Takes `key=value`. Keys are letters, digits, `-`, `_` and `.`.
///
/// # Errors
/// When it is none.
pub fn label_parse(text: &str) -> Result<(String, String), LabelError> {
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_value = |value: &str| !value.chars().any(char::is_control);
    match text.split_once('=') {
        Some((key, value)) if is_key(key) && is_value(value) => Ok((key.to_owned(), value.to_owned())),
        _ => Err(LabelError(text.to_owned())),
    }
}

/// Labels as they wait in [`LABELS_FILE`]: one a line.
#[must_use]
pub fn labels_text(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

/// Reads them.
///
/// # Errors
/// When a line is none.
pub fn labels_parse(text: &str) -> Result<BTreeMap<String, String>, LabelError> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(label_parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_survive_the_way_and_nonsense_does_not() {
        let labels = labels_parse("region=eu\n\n disk=ssd \nempty=").unwrap();
        assert_eq!(labels_parse(&labels_text(&labels)).unwrap(), labels);
        assert_eq!(labels["disk"], "ssd");
        for nonsense in ["region", "=eu", "re gion=eu", "a=b\u{7}"] {
            assert_eq!(label_parse(nonsense), Err(LabelError(nonsense.to_owned())));
        }
    }

    #[test]
    fn a_machine_is_known_by_the_address_that_faces_the_manager() {
        let manager: SocketAddr = "127.0.0.1:2377".parse().unwrap();
        assert_eq!(address_towards(manager).unwrap(), manager.ip());
    }
}
