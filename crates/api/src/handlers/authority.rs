//! `/ambo/ca.pem`: what clients must trust to verify the platform's own certificates.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use crate::error::ApiError;
use crate::state::Api;

pub(crate) async fn find(State(api): State<Api>) -> Result<Response, ApiError> {
    let none = "this platform has no certificate authority of its own: its certificate is its operator's, which clients \
                trust already";
    let root = api.settings.authority.clone().ok_or_else(|| ApiError::not_found(none))?;
    Ok(([(header::CONTENT_TYPE, "application/x-pem-file")], root).into_response())
}
