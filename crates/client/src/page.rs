//! Lists that come in pages.

use http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;

use crate::error::ClientError;
use crate::transport::{Client, RequestBody};

/// Most pages that one list may have; a server that sends more is not ours.
const PAGES_MAX: usize = 1_000;

impl Client {
    /// The whole list, page after page.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ClientError> {
        let mut all = Vec::new();
        let mut range: Option<HeaderValue> = None;
        for _ in 0..PAGES_MAX {
            let (mut headers, page) = self.page::<T>(path, range.as_ref()).await?;
            all.extend(page);
            match headers.remove("next-range") {
                Some(next) => range = Some(next),
                None => return Ok(all),
            }
        }
        Err(self.protocol_error(format!("the list has more than {PAGES_MAX} pages")))
    }

    /// One page, as `range` asks for it: `version ..; order=desc, max=15`.
    pub(crate) async fn list_range<T: DeserializeOwned>(&self, path: &str, range: &str) -> Result<Vec<T>, ClientError> {
        let range = HeaderValue::from_str(range).map_err(|error| self.protocol_error(error.to_string()))?;
        self.page(path, Some(&range)).await.map(|(_, page)| page)
    }

    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        range: Option<&HeaderValue>,
    ) -> Result<(HeaderMap, Vec<T>), ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(range) = range {
            headers.insert(header::RANGE, range.clone());
        }
        let (headers, answer) = self.call(Method::GET, path, headers, RequestBody::Empty).await?;
        Ok((headers, self.decode(&answer)?))
    }
}
