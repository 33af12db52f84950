//! The API's reference, made from the routes and the types of their handlers: `/openapi.json` for programs, `/docs` for
//! people.

mod document;
mod page;
mod schema;
mod shapes;

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse};
use http::header;
use serde_json::Value;

/// The description, which is the same for as long as the program runs.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document::document);

/// The API's description in OpenAPI 3.1.
#[must_use]
pub fn openapi() -> &'static Value {
    &DOCUMENT
}

pub(crate) async fn json() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
    ([(header::CONTENT_TYPE, "application/vnd.oai.openapi+json;version=3.1")], TEXT.as_str())
}

pub(crate) async fn html() -> Html<&'static str> {
    static PAGE: LazyLock<String> = LazyLock::new(|| page::page(&DOCUMENT));
    Html(PAGE.as_str())
}
