//! JSON bodies.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;
use crate::state::Api;

/// Largest JSON body, in bytes.
pub(crate) const JSON_BYTES_MAX: usize = 1024 * 1024;
/// Longest time for a JSON body to arrive.
const JSON_DURATION_MAX: Duration = Duration::from_secs(30);

/// A JSON body. One that is empty counts as `{}`, since clients leave out bodies of options only. The content type is not
/// asked for: clients of Heroku's API differ in it.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Api) -> Result<Self, ApiError> {
        json(&read_limited(request.into_body()).await?).map(Self)
    }
}

/// A whole body, as far as JSON may be large and slow.
pub(crate) async fn read_limited(body: Body) -> Result<Bytes, ApiError> {
    let body = Limited::new(body, JSON_BYTES_MAX).collect();
    match tokio::time::timeout(JSON_DURATION_MAX, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(ApiError::too_large(format!("the body is larger than {JSON_BYTES_MAX} bytes: send less at a time")))
        }
        Ok(Err(_)) => Err(ApiError::bad_request("the body broke off: send the request again")),
        Err(_) => Err(ApiError::bad_request("the body did not arrive in time: send the request again")),
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    // In two steps, so that what is no JSON is told from JSON of the wrong shape.
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body is no JSON: {error}")))?;
    // Serde would take a list for an object, its fields by their order.
    if !value.is_object() {
        return Err(ApiError::invalid("the body is no JSON object: send `{…}`"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (field, inner) = (error.path().to_string(), error.inner().to_string());
        ApiError::invalid(if field == "." { inner } else { format!("`{field}`: {inner}") })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_api_types::{AppCreate, AppUpdate, FormationBatchUpdate};
    use axum::response::IntoResponse;

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (u16, String) {
        let error = json::<T>(body.as_bytes()).unwrap_err();
        let text = format!("{error:?}");
        (error.into_response().status().as_u16(), text)
    }

    #[test]
    fn an_empty_body_has_no_options() {
        assert_eq!(json::<AppCreate>(b" \n").unwrap(), AppCreate::default());
        assert_eq!(json::<AppCreate>(br#"{"name":"x","region":"eu"}"#).unwrap().name.as_deref(), Some("x"));
    }

    #[test]
    fn a_body_that_is_no_json_is_told_from_one_of_the_wrong_shape() {
        assert_eq!(refusal::<AppUpdate>("{").0, 400);
        assert_eq!(refusal::<AppUpdate>("{} {}").0, 400);
        let (status, text) = refusal::<AppUpdate>(r#"{"maintenance":"yes"}"#);
        assert!(status == 422 && text.contains("`maintenance`"), "{text}");
        let (status, text) = refusal::<FormationBatchUpdate>(r#"{"updates":[{"type":"web","quantity":-1}]}"#);
        assert!(status == 422 && text.contains("`updates[0].quantity`"), "{text}");
        assert_eq!(refusal::<FormationBatchUpdate>("{}").0, 422);
        assert_eq!(refusal::<FormationBatchUpdate>("[]").0, 422);
        assert_eq!(refusal::<AppCreate>(r#"["photos"]"#).0, 422);
    }
}
