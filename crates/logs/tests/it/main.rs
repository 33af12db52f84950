//! What the log store promises.

mod bounds;
mod copies;
mod drains;
mod following;
mod keeping;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ambo_logs::{LogFilter, LogRecord, LogSettings, LogStore};
use ambo_model::{AppId, LogLine, LogSource, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that must happen.
const DEADLINE: Duration = Duration::from_secs(30);

struct Fixture {
    logs: Arc<LogStore>,
    directory: TempDir,
    settings: LogSettings,
}

impl Fixture {
    fn new() -> Self {
        Self::with(LogSettings::default())
    }

    fn with(settings: LogSettings) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = Arc::new(LogStore::open(directory.path(), settings.clone()).expect("opens"));
        Self { logs, directory, settings }
    }

    /// Stores what there is and starts anew.
    async fn restart(self) -> Self {
        self.logs.flush().await;
        self.kill()
    }

    /// Starts anew; what was not stored is lost.
    fn kill(self) -> Self {
        let logs = Arc::new(LogStore::open(self.directory.path(), self.settings.clone()).expect("opens again"));
        Self { logs, ..self }
    }

    fn say(&self, app: AppId, name: &str, text: &str) {
        self.logs.append(line(app, name, text));
    }

    fn count(&self, app: AppId, numbers: impl Iterator<Item = usize>) {
        numbers.for_each(|number| self.say(app, "web.1", &number.to_string()));
    }

    async fn texts(&self, app: AppId, count: usize) -> Vec<String> {
        texts(self.logs.tail(app, count, LogFilter::default()).await)
    }

    fn run(&self) -> Running {
        let shutdown = CancellationToken::new();
        let (logs, stop) = (Arc::clone(&self.logs), shutdown.clone());
        Running { shutdown, task: tokio::spawn(async move { logs.run(stop).await }) }
    }
}

/// A store whose lines are being stored.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        within_deadline(self.task).await.expect("it ends");
    }
}

fn line(app: AppId, name: &str, text: &str) -> LogLine {
    LogLine { app, at: Timestamp::now(), source: LogSource::App, name: name.to_owned(), text: text.to_owned() }
}

fn texts(records: Vec<LogRecord>) -> Vec<String> {
    records.into_iter().map(|record| record.line.text).collect()
}

fn numbers(range: impl Iterator<Item = usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

async fn within_deadline<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.expect("the test's deadline has passed")
}
