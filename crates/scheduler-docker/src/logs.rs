//! Output of instances, followed through restarts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ambo_engine_docker::bollard::container::LogOutput;
use ambo_engine_docker::bollard::errors::Error as BollardError;
use ambo_engine_docker::bollard::query_parameters::LogsOptions;
use ambo_model::log::LOG_LINE_BYTES_MAX;
use ambo_model::{InstanceId, Timestamp};
use ambo_scheduler::{InstanceLog, SchedulerError};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::driver::Driver;
use crate::failure::failed_with;
use crate::observe::Phase;

/// Most lines that are read back at once.
const LAST_LINES_MAX: usize = 10_000;
/// How soon a log is opened again whose instance runs.
const REOPEN_INTERVAL: Duration = Duration::from_millis(200);
/// How often an instance that does not run is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The instance's output after `since`, until it is gone.
pub(crate) async fn follow(
    driver: &Arc<Driver>,
    instance: &InstanceId,
    since: Option<Timestamp>,
) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
    driver.container(instance).await?;
    let follower = Follower {
        driver: Arc::clone(driver),
        instance: instance.clone(),
        seen: Seen { at: since, count: u64::MAX },
        skip: None,
        pieces: VecDeque::new(),
        output: None,
        phase: Phase::Up,
    };
    Ok(stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next().await {
            Ok(Some(log)) => Some((Ok(log), Some(follower))),
            Ok(None) | Err(SchedulerError::InstanceGone(_)) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed())
}

/// The last lines, oldest first.
pub(crate) async fn last_lines(
    driver: &Driver,
    instance: &InstanceId,
    line_count: usize,
) -> Result<Vec<String>, SchedulerError> {
    driver.container(instance).await?;
    let tail = line_count.min(LAST_LINES_MAX);
    if tail == 0 {
        return Ok(Vec::new());
    }
    let options = LogsOptions { stdout: true, stderr: true, tail: tail.to_string(), ..Default::default() };
    let output = driver.docker().await?.logs(instance.as_str(), Some(options));
    let lines = output.map_ok(|line| {
        let line = line.into_bytes();
        let text = without_line_end(&line);
        String::from_utf8_lossy(&text[..text.len().min(LOG_LINE_BYTES_MAX)]).into_owned()
    });
    lines.try_collect().await.map_err(failed_with("read the log of instance", instance))
}

type Output = BoxStream<'static, Result<LogOutput, BollardError>>;

/// Where reading has come to: the time of the last line, and how many lines of that very time were passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    at: Option<Timestamp>,
    count: u64,
}

struct Follower {
    driver: Arc<Driver>,
    instance: InstanceId,
    seen: Seen,
    /// While a log is read again from its last second on: what was passed on already.
    skip: Option<Seen>,
    pieces: VecDeque<InstanceLog>,
    output: Option<Output>,
    /// What the instance was doing when its log last ended.
    phase: Phase,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<InstanceLog>, SchedulerError> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some(piece));
            }
            let Some(output) = &mut self.output else {
                self.open().await?;
                continue;
            };
            match output.next().await {
                Some(line) => self.take(line.map_err(failed_with("read the log of instance", &self.instance))?),
                None => {
                    self.output = None;
                    self.wait().await?;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<(), SchedulerError> {
        let since = self.seen.at.map_or(0, |at| i32::try_from(at.as_second()).unwrap_or(i32::MAX));
        let options =
            LogsOptions { follow: true, stdout: true, stderr: true, timestamps: true, since, ..Default::default() };
        let docker = self.driver.docker().await?;
        self.output = Some(docker.logs(self.instance.as_str(), Some(options)).boxed());
        self.skip = self.seen.at.map(|_| self.seen);
        Ok(())
    }

    /// After a log has ended: waits until there may be more of it. An instance that is gone is an error.
    async fn wait(&mut self) -> Result<(), SchedulerError> {
        loop {
            let container = self.driver.container(&self.instance).await?;
            let phase = Phase::inspected(container.state.and_then(|state| state.status));
            let before = std::mem::replace(&mut self.phase, phase);
            match phase {
                Phase::Up | Phase::Restarting | Phase::Created => {
                    tokio::time::sleep(REOPEN_INTERVAL).await;
                    return Ok(());
                }
                // Its last words may have come after its log was closed: once more.
                Phase::Down if before != Phase::Down => return Ok(()),
                Phase::Down | Phase::Leaving => tokio::time::sleep(LOOK_INTERVAL).await,
            }
        }
    }

    /// Takes one message of the engine's: a line, or 16 KiB of a longer one.
    fn take(&mut self, message: LogOutput) {
        let message = message.into_bytes();
        let Some((at, text)) = timed(&message) else { return };
        if let Some(skip) = &mut self.skip {
            if skip.at.is_some_and(|seen| at < seen) {
                return;
            }
            if skip.at == Some(at) && skip.count > 0 {
                skip.count -= 1;
                return;
            }
            if skip.at != Some(at) {
                self.skip = None;
            }
        }
        let is_same = self.seen.at == Some(at) && self.seen.count != u64::MAX;
        self.seen = Seen { at: Some(at), count: if is_same { self.seen.count + 1 } else { 1 } };
        let text = without_line_end(&text);
        if text.is_empty() {
            self.pieces.push_back(InstanceLog { at, text: Bytes::new() });
        }
        for start in (0..text.len()).step_by(LOG_LINE_BYTES_MAX) {
            let piece = text.slice(start..text.len().min(start + LOG_LINE_BYTES_MAX));
            self.pieces.push_back(InstanceLog { at, text: piece });
        }
    }
}

/// Splits the engine's time off.
fn timed(message: &Bytes) -> Option<(Timestamp, Bytes)> {
    let space = message.iter().take(64).position(|byte| *byte == b' ')?;
    let at = std::str::from_utf8(&message[..space]).ok()?.parse().ok()?;
    Some((at, message.slice(space + 1..)))
}

fn without_line_end(line: &Bytes) -> Bytes {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    line.slice(..text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_time_and_a_text() {
        let message = Bytes::from_static(b"2026-01-01T00:00:00.000000001Z hello world\r\n");
        let (at, text) = timed(&message).unwrap();
        assert_eq!(at.subsec_nanosecond(), 1);
        assert_eq!(without_line_end(&text), "hello world");
        assert!(timed(&Bytes::from_static(b"no time")).is_none());
    }
}
