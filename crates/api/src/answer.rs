//! Answers whose status is part of their type.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

/// 201: it has been made, and this is it.
#[derive(Debug)]
pub(crate) struct Created<T>(pub(crate) T);

/// 202: it will be done, and this is how far it is.
#[derive(Debug)]
pub(crate) struct Accepted<T>(pub(crate) T);

/// An empty object, Heroku's answer where there is nothing to say.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Nothing {}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}
