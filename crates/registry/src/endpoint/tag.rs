//! Tags over HTTP (end-8a, end-8b).

use axum::response::{IntoResponse, Response};
use http::header::LINK;
use http::request::Parts;
use serde_json::json;

use super::parameters::{page_length, parameter};
use crate::access::Action;
use crate::error::Error;
use crate::name::{RepositoryName, Tag};
use crate::registry::Inner;

/// Most tags of one page.
const TAGS_PAGE_MAX: usize = 1000;

pub(super) async fn tag_list(registry: &Inner, request: &Parts, name: &RepositoryName) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Pull).await?;
    let length = page_length(request, TAGS_PAGE_MAX)?;
    let last = parameter(request, "last");
    let tags = registry.contents.tag_list(&repository).await?;
    // An app's own repository exists as long as the app; one below it, as long as something is in it.
    if tags.is_empty() && !repository.path.is_empty() && !registry.contents.repository_exists(&repository).await? {
        return Err(Error::NameUnknown(name.clone()));
    }
    let start = last.map_or(0, |last| tags.partition_point(|tag| tag.as_str() <= last.as_str()));
    let rest = &tags[start..];
    let page = &rest[..length.min(rest.len())];
    let body = json!({"name": name.as_str(), "tags": page.iter().map(Tag::as_str).collect::<Vec<_>>()});
    let mut response = axum::Json(body).into_response();
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let link = format!("</v2/{name}/tags/list?n={length}&last={last}>; rel=\"next\"");
        let link = link.parse().map_err(|_| Error::ParameterInvalid("parameter `n` cannot be used".to_owned()))?;
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}
