//! The Docker Engine, in the middle of a push when another controller takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use tower::ServiceExt;

use crate::clients::{Target, docker_round_trip};
use crate::platform::{OWNER, PASSWORD, TestRegistry, serve};

/// Where a cluster's agents lead connections: to the first controller until a blob is being sent, then to the second.
#[derive(Clone)]
struct Leading {
    first: axum::Router,
    second: axum::Router,
    taken_over: Arc<AtomicBool>,
}

async fn lead(State(leading): State<Leading>, request: Request) -> Response {
    let sends = matches!(*request.method(), Method::PATCH | Method::PUT) && request.uri().path().contains("/uploads/");
    if sends {
        leading.taken_over.store(true, Ordering::SeqCst);
    }
    let leader = if leading.taken_over.load(Ordering::SeqCst) { leading.second } else { leading.first };
    leader.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn the_docker_engine_sends_a_blob_anew_when_its_upload_was_lost() {
    let first = TestRegistry::new();
    let second = first.successor();
    let taken_over = Arc::new(AtomicBool::new(false));
    let leading = Leading {
        first: first.registry.router(),
        second: second.registry.router(),
        taken_over: Arc::clone(&taken_over),
    };
    let server = serve(axum::Router::new().fallback(any(lead)).with_state(leading)).await;
    let scratch = tempfile::tempdir().unwrap();
    let target =
        Target { registry: &server.address.to_string(), repository: "myapp", username: OWNER, password: PASSWORD };
    docker_round_trip(&target, "debian:bookworm-slim", scratch.path()).await;
    assert!(taken_over.load(Ordering::SeqCst));
    let usage = second.registry.usage(second.platform.app("myapp")).await.unwrap();
    assert_eq!(usage.manifests, 1);
}
