//! An app's log.

mod dedupe;
mod lines;

use std::time::Duration;

use http::{Method, header};

use self::dedupe::Seen;
pub use self::lines::LOG_LINE_BYTES_MAX;
use self::lines::Lines;
use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{LogSession, LogSessionCreate};

/// Pause before the stream is opened again after it broke; it doubles with each try in vain.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);
/// Tries in vain, one after another, before the stream counts as lost.
const RECONNECTS_MAX: u32 = 8;
/// Lines asked for again after a break, to close the gap.
const RECONNECT_LINES: u32 = 500;

/// The lines of a log, oldest first.
///
/// With `tail` it goes on for ever: it reconnects after a break and leaves out what it has given already.
#[derive(Debug)]
pub struct LogStream {
    client: Client,
    app: String,
    query: LogSessionCreate,
    source: Option<Source>,
    seen: Seen,
    failures: u32,
}

#[derive(Debug)]
struct Source {
    response: reqwest::Response,
    lines: Lines,
}

impl Client {
    /// Opens an app's log.
    ///
    /// # Errors
    /// When the app is unknown or the log cannot be read.
    pub async fn log_open(&self, app: &str, query: &LogSessionCreate) -> Result<LogStream, ClientError> {
        let mut stream = LogStream {
            client: self.clone(),
            app: app.to_owned(),
            query: query.clone(),
            source: None,
            seen: Seen::default(),
            failures: 0,
        };
        stream.source = Some(stream.connect().await?);
        Ok(stream)
    }
}

impl LogStream {
    /// The next line, without its end; `None` at the end of a log that is not followed.
    ///
    /// # Errors
    /// When the log is lost: it broke and could not be opened again.
    ///
    /// # Cancel safety
    /// Cancel safe: no line is lost when the call is dropped.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if self.source.is_none() {
                self.reconnect().await?;
            }
            let Some(source) = self.source.as_mut() else { continue };
            while let Some(line) = source.lines.next() {
                self.failures = 0;
                if self.seen.admit(&line) {
                    return Ok(Some(line));
                }
            }
            match source.response.chunk().await {
                Ok(Some(chunk)) => source.lines.push(&chunk),
                Ok(None) if !self.query.tail.unwrap_or(false) => {
                    let last = source.lines.finish().filter(|line| self.seen.admit(line));
                    return Ok(last);
                }
                Ok(None) => self.source = None,
                Err(error) if !self.query.tail.unwrap_or(false) => return Err(self.client.transport_error(error)),
                Err(_) => self.source = None,
            }
        }
    }

    async fn reconnect(&mut self) -> Result<(), ClientError> {
        self.failures += 1;
        tokio::time::sleep(RECONNECT_DELAY * 2_u32.pow((self.failures - 1).min(4))).await;
        if self.seen.after_break() {
            self.query.lines = Some(RECONNECT_LINES);
        }
        match self.connect().await {
            Ok(source) => self.source = Some(source),
            Err(error @ (ClientError::Transport { .. } | ClientError::Unavailable(_))) => {
                if self.failures >= RECONNECTS_MAX {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A session of its own each time: the address of one lives no longer than its connection has to.
    async fn connect(&self) -> Result<Source, ClientError> {
        let path = format!("/apps/{}/log-sessions", segment(&self.app));
        let session: LogSession = self.client.post(&path, &self.query).await?;
        let request = self.client.request_given(Method::GET, &session.logplex_url).header(header::ACCEPT, "text/plain");
        let response = self.client.send(request).await?;
        Ok(Source { response, lines: Lines::default() })
    }
}
