//! Giving workers' agents their certificates: asked for with a token, over the API's own port.

use std::sync::Arc;

use ambo_link::authority::Issued;
use ambo_link::{Authority, Peer, Role};
use ambo_model::{NodeId, Secret, Timestamp};
use ambo_operator::files;
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
}

/// Answers agents that have the token.
pub(crate) fn routes(authority: Authority, token: Secret) -> Router {
    let office = Office { authority: Arc::new(authority), token };
    Router::new().route(&path("{node}"), post(issue)).with_state(office)
}

async fn issue(
    State(office): State<Office>,
    Path(node): Path<NodeId>,
    headers: HeaderMap,
) -> Result<Json<IssuedWire>, (StatusCode, &'static str)> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(office.token.reveal().as_bytes())) {
        return Err((StatusCode::UNAUTHORIZED, "this is not the token of this platform's agents"));
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
