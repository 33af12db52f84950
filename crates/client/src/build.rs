//! Builds.

mod trailer;

use bytes::Bytes;
use futures::Stream;
use http::{Method, header};

pub use self::trailer::BUILD_TRAILER_BYTES_MAX;
use self::trailer::Splitter;
use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Build, BuildImage, BuildTrailer};

/// A piece of a build's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// Output, as it is.
    Output(Bytes),
    /// How it ended. The last.
    Ended(BuildTrailer),
}

/// A build in progress. Dropping it cancels the build.
#[derive(Debug)]
pub struct BuildStream {
    client: Client,
    response: reqwest::Response,
    splitter: Splitter,
}

impl Client {
    /// The newest builds, newest first.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn build_list(&self, app: &str, count_max: u32) -> Result<Vec<Build>, ClientError> {
        let path = format!("/apps/{}/builds", segment(app));
        let mut builds: Vec<Build> =
            self.list_range(&path, &format!("started_at ..; order=desc, max={count_max}")).await?;
        builds.sort_by_key(|build| std::cmp::Reverse(build.created_at));
        builds.truncate(usize::try_from(count_max).unwrap_or(usize::MAX));
        Ok(builds)
    }

    /// One build.
    ///
    /// # Errors
    /// When there is none of that id.
    pub async fn build_info(&self, app: &str, id: &str) -> Result<Build, ClientError> {
        self.get(&format!("/apps/{}/builds/{}", segment(app), segment(id))).await
    }

    /// Builds and releases a gzip-compressed tar archive of `bytes` bytes, which is streamed. `version` says what it is
    /// of: a commit, usually.
    ///
    /// # Errors
    /// When the upload is refused or breaks. A build that fails is no error here: see [`BuildEvent::Ended`].
    pub async fn build_create_from_archive<S>(
        &self,
        app: &str,
        version: Option<&str>,
        bytes: u64,
        archive: S,
    ) -> Result<BuildStream, ClientError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let query = version.map_or_else(String::new, |version| format!("?version={}", segment(version)));
        let request = self
            .request(Method::POST, &format!("{}{query}", self.build_url(app)))
            .header(header::CONTENT_TYPE, "application/gzip")
            .header(header::CONTENT_LENGTH, bytes)
            .body(reqwest::Body::wrap_stream(archive));
        self.build_stream(request).await
    }

    /// Releases an image that exists.
    ///
    /// # Errors
    /// When the request is refused. An image that cannot be released is no error here: see [`BuildEvent::Ended`].
    pub async fn build_create_from_image(&self, app: &str, image: &BuildImage) -> Result<BuildStream, ClientError> {
        let request = self.request(Method::POST, &self.build_url(app)).json(image);
        self.build_stream(request).await
    }

    fn build_url(&self, app: &str) -> String {
        self.host().at(&format!("/ambo/apps/{}/builds", segment(app)))
    }

    async fn build_stream(&self, request: reqwest::RequestBuilder) -> Result<BuildStream, ClientError> {
        let response = self.send(request.header(header::ACCEPT, "text/plain, application/json")).await?;
        Ok(BuildStream { client: self.clone(), response, splitter: Splitter::default() })
    }
}

impl BuildStream {
    /// The next piece; `None` behind the trailer.
    ///
    /// # Errors
    /// When the connection breaks before the trailer came: how the build ended is then unknown.
    pub async fn next(&mut self) -> Result<Option<BuildEvent>, ClientError> {
        loop {
            if let Some(output) = self.splitter.output() {
                return Ok(Some(BuildEvent::Output(output)));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => {
                    self.splitter.push(chunk).map_err(|what| self.client.protocol_error(what))?;
                }
                Ok(None) if self.splitter.is_done() => return Ok(None),
                Ok(None) => {
                    let trailer = self.splitter.trailer().ok_or_else(|| self.client.interrupted())?;
                    return Ok(Some(BuildEvent::Ended(trailer)));
                }
                Err(error) if error.is_decode() || error.is_body() => return Err(self.client.interrupted()),
                Err(error) => return Err(self.client.transport_error(error)),
            }
        }
    }
}
