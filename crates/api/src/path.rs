//! Segments of the path.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::state::Api;

/// Segments of the path, percent-decoded.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, api).await {
            Ok(axum::extract::Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(ApiError::not_found("there is nothing at this path: is it percent-encoded UTF-8?")),
        }
    }
}
