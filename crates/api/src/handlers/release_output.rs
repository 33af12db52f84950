//! `/ambo/release-output/{session}`: what a release's command says, as plain text, until the release has ended.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use ambo_controller::accounts::Caller;
use ambo_logs::{LogFilter, LogRecord};
use ambo_model::{App, LogSource, ReleaseStatus, ReleaseVersion, Timestamp};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};

use super::log_sessions::LINES_MAX;
use crate::error::ApiError;
use crate::log_token::LogGrant;
use crate::path::Path;
use crate::state::Api;
use crate::wire::{BaseUrl, derived_id};

/// How long the URL is good at least, in seconds.
const LIFETIME_SECONDS: i64 = 3600;
/// Between two looks at a release whose command is still running.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Where the output of a release's command can be read by whoever has the URL.
pub(super) fn url(
    api: &Api,
    caller: &Caller,
    base: &BaseUrl,
    app: &App,
    version: ReleaseVersion,
) -> Result<String, ApiError> {
    let grant = LogGrant {
        id: derived_id(&["release-output", &app.id.to_string(), &version.to_string()]),
        account: caller.account,
        token: caller.token,
        app: app.id,
        lines: LINES_MAX,
        tail: true,
        dyno: Some(version.0.to_string()),
        source: None,
        until: until(api.now()),
    };
    let token = api.log_tokens.sign(&grant).map_err(|error| ApiError::internal(&error))?;
    Ok(format!("{}/ambo/release-output/{token}", base.0))
}

/// The end of the hour after this one: within an hour the URL stays the same, and so does the `ETag` of the release.
fn until(now: Timestamp) -> Timestamp {
    let hour = now.as_second() - now.as_second().rem_euclid(LIFETIME_SECONDS);
    Timestamp::from_second(hour + 2 * LIFETIME_SECONDS).unwrap_or(now)
}

/// A reader on its way through the output.
struct Reading {
    api: Api,
    caller: Caller,
    grant: LogGrant,
    version: ReleaseVersion,
    seen: u64,
    ended: bool,
}

pub(crate) async fn read(State(api): State<Api>, Path(session): Path<String>) -> Result<Response, ApiError> {
    let over = || ApiError::not_found("this URL is good no longer: ask for the release again").of_resource("release");
    let grant = api.log_tokens.read(&session, api.now()).ok_or_else(over)?;
    let version =
        grant.dyno.as_deref().and_then(|version| version.parse().ok()).map(ReleaseVersion).ok_or_else(over)?;
    let caller = grant.caller(&api).await?.ok_or_else(over)?;
    let reading = Reading { api, caller, grant, version, seen: 0, ended: false };
    let chunks = stream::unfold(reading, Reading::next);
    let mut response = Response::new(Body::from_stream(chunks));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Reading {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        loop {
            if self.ended || self.api.shutdown.is_cancelled() {
                return None;
            }
            // In this order: what is said before the end is read after it was seen to have ended.
            self.ended = !self.is_pending().await;
            let text = self.read_on().await;
            if !text.is_empty() {
                return Some((Ok(Bytes::from(text)), self));
            }
            if !self.ended {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    async fn is_pending(&self) -> bool {
        let (app, release) = (self.grant.app.to_string(), self.version.to_string());
        let found = self.api.controller.release_find(&self.caller, &app, &release).await;
        found.is_ok_and(|(_, release)| release.status == ReleaseStatus::Pending)
    }

    async fn read_on(&mut self) -> String {
        let filter = LogFilter { source: Some(LogSource::App), name: Some(format!("release.{}", self.version.0)) };
        let count = usize::try_from(self.grant.lines).unwrap_or(usize::MAX);
        let mut text = String::new();
        for LogRecord { cursor, line } in self.api.controller.logs.tail(self.grant.app, count, filter).await {
            if cursor > self.seen {
                self.seen = cursor;
                // Writing to a `String` cannot fail.
                let _ = writeln!(text, "{}", line.text);
            }
        }
        text
    }
}
