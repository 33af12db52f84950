//! `POST /ambo/apps/{app}/builds`: a build whose output is the answer, as it comes. Leaving cancels it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ambo_api_types::{BuildImage, BuildOutcome, BuildTrailer};
use ambo_controller::accounts::{Caller, Permission};
use ambo_controller::chain;
use ambo_controller::progress::Progress;
use ambo_controller::push::{Deploy, DeployError, Deployed};
use ambo_model::{App, BuildId, BuildSource, ImageReference, Procfile};
use axum::body::Body;
use axum::extract::{FromRequest, Query, Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::Deserialize;
use tempfile::TempPath;
use tokio::sync::mpsc;

use super::upload;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

/// Lines that wait for a slow client.
const LINES_QUEUED_MAX: usize = 256;

/// What the uploader says of the source.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Upload {
    /// `SOURCE_VERSION`: a commit, usually.
    version: Option<String>,
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    query: Result<Query<Upload>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let app = api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let Query(query) = query.map_err(|error| ApiError::invalid(format!("the query cannot be read: {error}")))?;
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
    let (deploy, archive) = match content_type.as_str() {
        "application/json" => (image(Json::from_request(request, &api).await?)?, None),
        "application/x-tar" | "application/gzip" | "application/x-gzip" | "application/octet-stream" => {
            let archive = upload::receive(&api, request).await?;
            let version = query.version.filter(|version| !version.is_empty());
            let version = version.map(|version| version.chars().filter(|c| !c.is_control()).take(200).collect());
            let source = BuildSource::Archive { version };
            (Deploy::Source { archive: archive.to_path_buf(), source }, Some(archive))
        }
        _ => {
            return Err(ApiError::invalid(
                "`Content-Type`: send `application/x-tar` or `application/gzip` with the source, or `application/json` \
                 with `{\"image\":\"…\"}`",
            ));
        }
    };
    Ok(stream(&api, app, caller, deploy, archive))
}

fn image(Json(wanted): Json<BuildImage>) -> Result<Deploy, ApiError> {
    let invalid = |field: &str, error: &dyn std::error::Error| ApiError::invalid(format!("`{field}`: {error}"));
    let reference = ImageReference::parse(&wanted.image).map_err(|error| invalid("image", &error))?;
    let procfile = wanted.procfile.map(|text| Procfile::parse(text.as_bytes()));
    Ok(Deploy::Image { reference, procfile: procfile.transpose().map_err(|error| invalid("procfile", &error))? })
}

fn stream(api: &Api, app: App, caller: Caller, deploy: Deploy, archive: Option<TempPath>) -> Response {
    let (sender, lines) = mpsc::channel(LINES_QUEUED_MAX);
    let controller = Arc::clone(&api.controller);
    let deploying = async move {
        let progress = Progress::to(sender);
        let ended = controller.deploy(app.id, &caller, deploy, progress.clone()).await;
        if let Err(error) = &ended {
            progress.failure(error).await;
        }
        drop(archive);
        ended
    };
    let body = BuildStream { lines, deploying: Some(Box::pin(deploying)), trailer: None };
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // Proxies that gather an answer before they pass it on would make the stream pointless.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Drives the deploy and passes its lines on; dropping it cancels the deploy.
struct BuildStream {
    lines: mpsc::Receiver<String>,
    deploying: Option<BoxFuture<'static, Result<Deployed, DeployError>>>,
    trailer: Option<BuildTrailer>,
}

impl Stream for BuildStream {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(deploying) = &mut self.deploying
            && let Poll::Ready(ended) = deploying.as_mut().poll(context)
        {
            self.deploying = None;
            self.trailer = Some(trailer(ended));
            // What is queued is all there will be, even if somebody still holds a sender.
            self.lines.close();
        }
        match self.lines.poll_recv(context) {
            Poll::Ready(Some(line)) => Poll::Ready(Some(Ok(line_bytes(line)))),
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) if self.deploying.is_some() => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(self.trailer.take().map(|trailer| Ok(trailer.encode().into()))),
        }
    }
}

/// A line for the wire. The byte that marks the trailer does not get through.
fn line_bytes(mut line: String) -> Bytes {
    if line.contains('\0') {
        line = line.replace('\0', "\u{fffd}");
    }
    line.push('\n');
    line.into()
}

fn trailer(ended: Result<Deployed, DeployError>) -> BuildTrailer {
    match ended {
        Ok(deployed) => BuildTrailer {
            status: BuildOutcome::Succeeded,
            build: Some(deployed.build.id.uuid()),
            release: Some(deployed.version.0),
            url: Some(deployed.url),
            message: None,
        },
        Err(error) => BuildTrailer {
            status: BuildOutcome::Failed,
            build: error.build.map(BuildId::uuid),
            release: error.release.map(|version| version.0),
            url: None,
            message: Some(chain(&error)),
        },
    }
}
