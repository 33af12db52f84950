//! `/ambo/logs/{session}`: the lines of a log session, as server-sent events or as plain lines.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use ambo_logs::{LogFilter, LogRecord};
use ambo_model::LogSource;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, header};

use crate::error::ApiError;
use crate::log_token::LogGrant;
use crate::path::Path;
use crate::state::Api;

/// Records that go out together when many are at hand.
const BATCH_MAX: usize = 64;
/// Longest silence of a stream of events; then a comment is sent, so that nothing between takes it for dead.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Lines,
}

pub(crate) async fn read(
    State(api): State<Api>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let over = || ApiError::not_found("this log session is over: open a new one").of_resource("log_session");
    let grant = api.log_tokens.read(&session, api.now()).ok_or_else(over)?;
    // Whoever opened it may have lost the app since, or the token.
    grant.caller(&api).await?.ok_or_else(over)?;
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let events = text("accept").is_some_and(|accept| accept.contains("text/event-stream"));
    let form = if events { Form::Events } else { Form::Lines };
    let seen = text("last-event-id").and_then(|id| id.trim().parse::<u64>().ok());
    let chunks = chunks(records(&api, &grant, seen).await, form);
    let chunks = chunks.take_until(api.shutdown.clone().cancelled_owned()).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(chunks));
    let content_type = match form {
        Form::Events => "text/event-stream",
        Form::Lines => "text/plain; charset=utf-8",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

async fn records(api: &Api, grant: &LogGrant, seen: Option<u64>) -> BoxStream<'static, LogRecord> {
    let source = match grant.source.as_deref() {
        Some("app") => Some(LogSource::App),
        Some(_) => Some(LogSource::Ambo),
        None => None,
    };
    let filter = LogFilter { source, name: grant.dyno.clone() };
    let count = usize::try_from(grant.lines).unwrap_or(usize::MAX);
    let logs = &api.controller.logs;
    match (grant.tail, seen) {
        (true, Some(cursor)) => logs.follow_from(grant.app, cursor, filter).boxed(),
        (true, None) => logs.follow(grant.app, count, filter).await.boxed(),
        (false, seen) => {
            let mut lines = logs.tail(grant.app, count, filter).await;
            lines.retain(|record| seen.is_none_or(|cursor| record.cursor > cursor));
            stream::iter(lines).boxed()
        }
    }
}

fn chunks(records: BoxStream<'static, LogRecord>, form: Form) -> impl Stream<Item = Bytes> + Send + 'static {
    let written = records.ready_chunks(BATCH_MAX).map(move |records| {
        let mut text = String::new();
        for record in &records {
            write(&mut text, record, form);
        }
        Bytes::from(text)
    });
    let with_comments = tokio_stream::StreamExt::timeout_repeating(written, tokio::time::interval(SILENCE_MAX));
    with_comments.filter_map(move |chunk| async move {
        match (chunk, form) {
            (Ok(chunk), _) => Some(chunk),
            (Err(_), Form::Events) => Some(Bytes::from_static(b": still here\n\n")),
            (Err(_), Form::Lines) => None,
        }
    })
}

fn write(text: &mut String, record: &LogRecord, form: Form) {
    // Writing to a `String` cannot fail.
    let _ = match form {
        Form::Events => write!(text, "id: {}\ndata: {}\n\n", record.cursor, record.line),
        Form::Lines => writeln!(text, "{}", record.line),
    };
}
