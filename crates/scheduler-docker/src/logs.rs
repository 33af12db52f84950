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
use crate::failure::log_failed;
use crate::observe::Phase;

/// Most lines that are read back at once.
const LAST_LINES_MAX: usize = 10_000;
/// How soon a log is opened again whose instance runs.
const REOPEN_INTERVAL: Duration = Duration::from_millis(200);
/// Docker 20.10 may lose a reader when a log file becomes full: a reader that has heard enough to fill one, and then nothing for
/// this long, opens the log anew.
const SILENCE_DURATION: Duration = Duration::from_secs(3);
/// How often an instance that does not run is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long an instance's output is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until it is gone, restarts included.
    Gone,
    /// Until it has ended and all that it said was read.
    Ended,
}

/// The instance's output after `since`, until it is gone or has ended.
pub(crate) async fn follow(
    driver: &Arc<Driver>,
    instance: &InstanceId,
    since: Option<Timestamp>,
    until: Until,
) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
    driver.container(instance).await?;
    let follower = Follower {
        driver: Arc::clone(driver),
        instance: instance.clone(),
        stdout: Heard { at: since, ..Heard::default() },
        stderr: Heard { at: since, ..Heard::default() },
        pieces: VecDeque::new(),
        output: None,
        bytes_since_open: 0,
        phase: Phase::Up,
        until,
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
    lines.try_collect().await.map_err(log_failed(instance))
}

type Output = BoxStream<'static, Result<LogOutput, BollardError>>;

/// How far one of the two outputs has been passed on. Each is in the order of its times; between the two there is none.
///
/// The engine says some lines again: when a log is opened anew it begins at a whole second, and when a log file is full
/// Docker's `local` driver goes back to that file's beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Heard {
    /// The time of the last message.
    at: Option<Timestamp>,
    /// Whether that was a piece of a line that goes on; all pieces of a line have one time.
    is_open: bool,
    /// Messages of that time that were passed on.
    count: u64,
    /// Messages of that time that will be said again.
    again: u64,
}

impl Heard {
    /// Whether a message has not been passed on yet; counts it then.
    fn is_news(&mut self, at: Timestamp, is_piece: bool) -> bool {
        match self.at {
            Some(last) if at < last => return false,
            Some(last) if at == last && self.again > 0 => {
                self.again -= 1;
                return false;
            }
            Some(last) if at == last && !self.is_open => return false,
            Some(last) if at == last => self.count += 1,
            _ => *self = Self { at: Some(at), count: 1, ..Self::default() },
        }
        self.is_open = is_piece;
        true
    }

    /// The log is read anew.
    fn reopened(&mut self) {
        self.again = self.count;
    }
}

struct Follower {
    driver: Arc<Driver>,
    instance: InstanceId,
    stdout: Heard,
    stderr: Heard,
    pieces: VecDeque<InstanceLog>,
    output: Option<Output>,
    bytes_since_open: u64,
    /// What the instance was doing when its log last ended.
    phase: Phase,
    until: Until,
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
            let is_suspect = self.bytes_since_open >= self.driver.settings.log_file_size.as_u64() / 2;
            let message = if is_suspect {
                match tokio::time::timeout(SILENCE_DURATION, output.next()).await {
                    Ok(message) => message,
                    Err(_) => {
                        self.output = None;
                        continue;
                    }
                }
            } else {
                output.next().await
            };
            match message {
                Some(line) => self.take(line.map_err(log_failed(&self.instance))?),
                None => {
                    self.output = None;
                    self.wait().await?;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<(), SchedulerError> {
        let since = self.stdout.at.min(self.stderr.at);
        let since = since.map_or(0, |at| i32::try_from(at.as_second()).unwrap_or(i32::MAX));
        let options =
            LogsOptions { follow: true, stdout: true, stderr: true, timestamps: true, since, ..Default::default() };
        let docker = self.driver.docker().await?;
        self.output = Some(docker.logs(self.instance.as_str(), Some(options)).boxed());
        self.bytes_since_open = 0;
        self.stdout.reopened();
        self.stderr.reopened();
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
                Phase::Down if self.until == Until::Ended => {
                    return Err(SchedulerError::InstanceGone(self.instance.clone()));
                }
                Phase::Down | Phase::Leaving => tokio::time::sleep(LOOK_INTERVAL).await,
            }
        }
    }

    /// Takes one message of the engine's: a line, or 16 KiB of a longer one.
    fn take(&mut self, message: LogOutput) {
        let heard = if matches!(message, LogOutput::StdErr { .. }) { &mut self.stderr } else { &mut self.stdout };
        let message = message.into_bytes();
        self.bytes_since_open += message.len() as u64;
        let Some((at, text)) = timed(&message) else { return };
        if !heard.is_news(at, !text.ends_with(b"\n")) {
            return;
        }
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
    fn what_is_said_again_is_not_heard_again() {
        let at = |nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap();
        let mut heard = Heard::default();
        assert!(heard.is_news(at(1), false) && heard.is_news(at(2), true) && heard.is_news(at(2), true));
        assert!(!heard.is_news(at(1), false), "a full log file is read again");
        heard.reopened();
        assert!(!heard.is_news(at(2), true) && !heard.is_news(at(2), true), "both pieces were passed on");
        assert!(heard.is_news(at(2), false) && heard.is_news(at(3), false));
        assert!(!heard.is_news(at(3), false));
        let mut resumed = Heard { at: Some(at(3)), ..Heard::default() };
        assert!(!resumed.is_news(at(3), false) && resumed.is_news(at(4), false));
    }

    #[test]
    fn a_message_is_a_time_and_a_text() {
        let message = Bytes::from_static(b"2026-01-01T00:00:00.000000001Z hello world\r\n");
        let (at, text) = timed(&message).unwrap();
        assert_eq!(at.subsec_nanosecond(), 1);
        assert_eq!(without_line_end(&text), "hello world");
        assert!(timed(&Bytes::from_static(b"no time")).is_none());
    }
}
