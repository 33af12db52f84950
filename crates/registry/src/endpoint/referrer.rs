//! Referrers over HTTP (end-12a, end-12b).

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LINK};
use http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::parameters::{page_length, parameter};
use crate::access::Action;
use crate::digest::Digest;
use crate::error::Error;
use crate::manifest::Descriptor;
use crate::name::RepositoryName;
use crate::registry::Inner;

/// Most referrers of one page.
const REFERRERS_PAGE_MAX: usize = 500;

pub(super) async fn referrer_list(
    registry: &Inner,
    request: &Parts,
    name: &RepositoryName,
    subject: &Digest,
) -> Result<Response, Error> {
    let repository = registry.authorize(request, name, Action::Pull).await?;
    let length = page_length(request, REFERRERS_PAGE_MAX)?.max(1);
    let wanted = parameter(request, "artifactType");
    let last = parameter(request, "last").and_then(|last| Digest::parse(&last).ok());
    let mut referrers = registry.contents.referrer_list(&repository, subject).await?;
    if let Some(wanted) = &wanted {
        referrers.retain(|referrer| referrer.artifact_type.as_ref() == Some(wanted));
    }
    let start = last.map_or(0, |last| referrers.partition_point(|referrer| referrer.digest <= last));
    let rest = &referrers[start..];
    let page = &rest[..length.min(rest.len())];
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": page,
    });
    let mut response = index.to_string().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.oci.image.index.v1+json"));
    if wanted.is_some() {
        headers.insert(HeaderName::from_static("oci-filters-applied"), HeaderValue::from_static("artifactType"));
    }
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let link = next_link(name, subject, length, last, wanted.as_deref());
        let link = link.parse().map_err(|_| Error::ParameterInvalid("the next page cannot be named".to_owned()))?;
        headers.insert(LINK, link);
    }
    Ok(response)
}

fn next_link(
    name: &RepositoryName,
    subject: &Digest,
    length: usize,
    last: &Descriptor,
    wanted: Option<&str>,
) -> String {
    let filter = wanted.map(|wanted| format!("&artifactType={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC)));
    format!(
        "</v2/{name}/referrers/{subject}?n={length}&last={}{}>; rel=\"next\"",
        last.digest,
        filter.unwrap_or_default()
    )
}
