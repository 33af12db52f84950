//! Removals of what a backup copies: they and a backup are never at it at the same time.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Any number of removals at a time, or one backup; in the order in which they come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Removals(Arc<RwLock<()>>);

impl Removals {
    /// Waits until something may be removed, as long as the guard lives.
    pub(crate) async fn begin(&self) -> OwnedRwLockReadGuard<()> {
        self.0.clone().read_owned().await
    }

    /// Waits until nothing is being removed; nothing is as long as the guard lives.
    pub(super) async fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        self.0.clone().write_owned().await
    }
}

/// Lets a user's deletion of an image wait for a backup. An upload that is given up is none of a backup's.
pub(crate) async fn removals_wait(State(removals): State<Removals>, request: Request, next: Next) -> Response {
    let is_removal = request.method() == Method::DELETE && !request.uri().path().contains("/blobs/uploads/");
    let _begun = if is_removal { Some(removals.begin().await) } else { None };
    next.run(request).await
}
