//! Copies of the logs on the controllers that stand by: whoever leads next has the past.
//!
//! A controller that stands by asks the leader for the logs, says how far its own reach, and is sent what follows; it says
//! when that is kept. What is behind the leader's last breath is read again where it came from: instances' output on their
//! nodes' engines, routers' lines in the routers, which let go of a line only when the copies have it.

mod take;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambo_link::frames::{reader, writer};
use ambo_link::steady::{BEAT_INTERVAL, Steady};
use ambo_logs::{LogRecord, LogStore, Reach};
use ambo_model::{AppId, LogLine, Timestamp};
use futures::{Sink, SinkExt, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

pub(super) use self::take::Copying;

/// How long lines gather before they are sent.
const GATHER_DURATION: Duration = Duration::from_millis(20);
/// How long a router's lines wait for a copy that does not come along.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the leader says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
enum ToCopy {
    /// What there is of this app's log is no copy, or there is none any more.
    Discard { app: AppId },
    /// What follows in an app's log.
    Lines { app: AppId, lines: Vec<Line> },
    /// Everything up to this number has been said.
    Through { number: u64 },
}

/// What a copy says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
enum FromCopy {
    /// How far it reaches.
    Reaches { apps: Vec<AppReach> },
    /// It took some lines, and is not through.
    Taken,
    /// Everything up to this number is kept.
    Kept { number: u64 },
}

/// A line with its cursor.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    cursor: u64,
    line: LogLine,
}

/// How far an app's log reaches: its newest line's cursor and time.
#[derive(Debug, Serialize, Deserialize)]
struct AppReach {
    app: AppId,
    cursor: u64,
    at: Timestamp,
}

impl From<LogRecord> for Line {
    fn from(LogRecord { cursor, line }: LogRecord) -> Self {
        Self { cursor, line }
    }
}

impl From<Line> for LogRecord {
    fn from(Line { cursor, line }: Line) -> Self {
        Self { cursor, line }
    }
}

impl From<Reach> for AppReach {
    fn from(Reach { app, cursor, at }: Reach) -> Self {
        Self { app, cursor, at }
    }
}

impl From<AppReach> for Reach {
    fn from(AppReach { app, cursor, at }: AppReach) -> Self {
        Self { app, cursor, at }
    }
}

/// The copies that there are of a leader's logs.
#[derive(Debug, Default)]
pub(super) struct Copies {
    made: AtomicU64,
    /// What each has kept, of those that came along once.
    kept: watch::Sender<BTreeMap<u64, u64>>,
}

impl Copies {
    /// Keeps one copy up to date until its stream ends.
    ///
    /// # Errors
    /// When the stream breaks, or the copy does not answer.
    pub(super) async fn serve<S>(&self, logs: &LogStore, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let (from, to) = tokio::io::split(stream);
        let (mut from, mut to) = (reader(Steady::new(from)), writer(to));
        let Some(FromCopy::Reaches { apps }) = from.next().await.transpose()? else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it did not say how far it reaches"));
        };
        let gone = Gone { copies: self, copy: self.made.fetch_add(1, Ordering::Relaxed) };
        tokio::select! {
            ended = self.listen(gone.copy, from) => ended,
            ended = tell(logs, apps, &mut to) => ended,
        }
    }

    /// Waits until every copy has what the logs have now. One that takes long is not waited for.
    pub(super) async fn come_along(&self, logs: &LogStore) {
        let number = *logs.growth().borrow();
        let mut kept = self.kept.subscribe();
        let all = kept.wait_for(|kept| kept.values().all(|kept| *kept >= number));
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }

    async fn listen(&self, copy: u64, mut from: impl Stream<Item = io::Result<FromCopy>> + Unpin) -> io::Result<()> {
        while let Some(message) = from.next().await {
            if let FromCopy::Kept { number } = message? {
                self.kept.send_modify(|kept| {
                    kept.insert(copy, number);
                });
            }
        }
        Ok(())
    }
}

/// Forgets a copy when its stream has ended, however it did.
struct Gone<'a> {
    copies: &'a Copies,
    copy: u64,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.copies.kept.send_modify(|kept| {
            kept.remove(&self.copy);
        });
    }
}

/// Sends what a copy has not, and then what is new.
async fn tell(
    logs: &LogStore,
    apps: Vec<AppReach>,
    to: &mut (impl Sink<ToCopy, Error = io::Error> + Unpin),
) -> io::Result<()> {
    let mut growth = logs.growth();
    let mut sent = HashMap::new();
    for reach in apps {
        let (app, cursor) = (reach.app, reach.cursor);
        if logs.holds(reach.into()).await {
            sent.insert(app, cursor);
        } else {
            to.send(ToCopy::Discard { app }).await?;
        }
    }
    loop {
        let number = *growth.borrow_and_update();
        send_new(logs, &mut sent, to).await?;
        to.send(ToCopy::Through { number }).await?;
        // If nothing comes, it is said again, and answered: both are there.
        if let Ok(grown) = tokio::time::timeout(BEAT_INTERVAL, growth.changed()).await {
            grown.map_err(io::Error::other)?;
            tokio::time::sleep(GATHER_DURATION).await;
        }
    }
}

async fn send_new(
    logs: &LogStore,
    sent: &mut HashMap<AppId, u64>,
    to: &mut (impl Sink<ToCopy, Error = io::Error> + Unpin),
) -> io::Result<()> {
    let newest: HashMap<AppId, u64> = logs.newest_all().into_iter().collect();
    let gone: Vec<AppId> = sent.keys().filter(|app| !newest.contains_key(app)).copied().collect();
    for app in gone {
        sent.remove(&app);
        to.send(ToCopy::Discard { app }).await?;
    }
    for (app, newest) in newest {
        let mut cursor = sent.get(&app).copied().unwrap_or(0);
        while cursor < newest {
            let records = logs.after(app, cursor).await;
            let Some(last) = records.last() else { break };
            cursor = last.cursor;
            let lines = records.into_iter().map(Line::from).collect();
            to.send(ToCopy::Lines { app, lines }).await?;
        }
        sent.insert(app, cursor.max(newest));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ambo_logs::{LogFilter, LogSettings};
    use ambo_model::LogSource;
    use tempfile::TempDir;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    fn logs(directory: &TempDir) -> Arc<LogStore> {
        Arc::new(LogStore::open_copy(directory.path(), LogSettings::default()).expect("opens"))
    }

    fn say(logs: &LogStore, app: AppId, text: &str) {
        let (at, name) = (Timestamp::now(), "web.1".to_owned());
        logs.append(LogLine { app, at, source: LogSource::App, name, text: text.to_owned() });
    }

    async fn until_same(one: &LogStore, other: &LogStore, app: AppId) {
        let same = async {
            while one.tail(app, 100, LogFilter::default()).await != other.tail(app, 100, LogFilter::default()).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, same).await.expect("the copy has what the log has");
    }

    #[tokio::test]
    async fn a_copy_comes_along_with_lines_and_removals_and_is_waited_for() {
        let (here, there) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("another"));
        let (leader, standby) = (logs(&here), logs(&there));
        let (shop, blog, old) = (AppId::new(), AppId::new(), AppId::new());
        say(&leader, shop, "before");
        say(&standby, old, "of an app that is gone");
        let copies = Arc::new(Copies::default());
        // There is none to wait for.
        copies.come_along(&leader).await;
        let (near, far) = tokio::io::duplex(1024);
        let (serving, served) = (copies.clone(), leader.clone());
        let serving = tokio::spawn(async move { serving.serve(&served, near).await });
        let copied = standby.clone();
        let taking = tokio::spawn(async move { take::take(&copied, far).await });
        until_same(&leader, &standby, shop).await;
        until_same(&leader, &standby, old).await;
        let first = copies.kept.subscribe().wait_for(|kept| !kept.is_empty()).await.map(|_| ());
        first.expect("it counts from now on");
        say(&leader, blog, "while it goes along");
        copies.come_along(&leader).await;
        assert_eq!(standby.tail(blog, 9, LogFilter::default()).await.len(), 1, "it was waited for");
        leader.remove(shop).await;
        until_same(&leader, &standby, shop).await;
        taking.abort();
        let ended = tokio::time::timeout(DEADLINE, serving).await.expect("it ends with its stream");
        let _ = ended.expect("it does not panic");
        assert!(copies.kept.borrow().is_empty(), "and is not waited for any more");
    }
}
