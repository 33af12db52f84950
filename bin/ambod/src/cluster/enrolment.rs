//! Giving workers' agents their certificates: asked for with a token, over the API's own port. They bring the labels that their
//! machines were given when they joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambo_link::authority::Issued;
use ambo_link::{Authority, Peer, Role};
use ambo_model::{NodeId, Secret, Timestamp};
use ambo_operator::nodes::{self, Change};
use ambo_operator::swarm::Swarm;
use ambo_operator::{EngineError, files};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Where an agent asks.
pub(crate) fn path(node: &str) -> String {
    format!("/ambo/agents/{node}/certificate")
}

/// What an agent brings.
#[derive(Serialize, Deserialize)]
pub(crate) struct AskedWire {
    pub(crate) labels: BTreeMap<String, String>,
}

/// A certificate with its key, on its way.
#[derive(Serialize, Deserialize)]
pub(crate) struct IssuedWire {
    chain: String,
    key: String,
}

impl From<IssuedWire> for Issued {
    fn from(wire: IssuedWire) -> Self {
        Self { chain: wire.chain, key: Secret::new(wire.key) }
    }
}

#[derive(Clone)]
struct Office {
    authority: Arc<Authority>,
    token: Secret,
    swarm: Swarm,
}

/// Answers agents that have the token.
pub(crate) fn routes(authority: Authority, token: Secret, swarm: Swarm) -> Router {
    let office = Office { authority: Arc::new(authority), token, swarm };
    Router::new().route(&path("{node}"), post(issue)).with_state(office)
}

async fn issue(
    State(office): State<Office>,
    Path(node): Path<NodeId>,
    headers: HeaderMap,
    Json(asked): Json<AskedWire>,
) -> Result<Json<IssuedWire>, (StatusCode, &'static str)> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(office.token.reveal().as_bytes())) {
        return Err((StatusCode::UNAUTHORIZED, "this is not the token of this platform's agents"));
    }
    if let Err(error) = label(&office.swarm, &node, &asked.labels).await {
        tracing::error!(%node, %error, "a node that joins cannot be labelled");
        return Err((StatusCode::SERVICE_UNAVAILABLE, "the swarm takes no labels of this node now"));
    }
    let names = ambo_link::identity::names(&Peer { role: Role::Agent, node: node.to_string() });
    match office.authority.issue(&names, true, Timestamp::now(), files::life()) {
        Ok(Issued { chain, key }) => {
            tracing::info!(%node, "an agent was given its certificate");
            Ok(Json(IssuedWire { chain, key: key.reveal().to_owned() }))
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no certificate for an agent");
            Err((StatusCode::INTERNAL_SERVER_ERROR, "no certificate could be made"))
        }
    }
}

/// Gives a node the labels that it brings, but for those that it has been given meanwhile.
async fn label(swarm: &Swarm, node: &NodeId, brought: &BTreeMap<String, String>) -> Result<(), EngineError> {
    if brought.is_empty() {
        return Ok(());
    }
    let nodes = swarm.nodes().await?;
    let known = nodes.into_iter().find(|known| known.id == node.as_str()).map(|known| known.spec.labels);
    let is_new = |key: &String| known.as_ref().is_none_or(|labels| !labels.contains_key(key));
    let new = brought.iter().filter(|(key, _)| is_new(key));
    let changes: Vec<Change> =
        new.map(|(key, value)| Change::Label { key: key.clone(), value: Some(value.clone()) }).collect();
    nodes::change(swarm, node.as_str(), &changes).await
}
