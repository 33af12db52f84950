//! Prints how many lines a second are appended and stored, what an append costs and what idle apps cost in memory:
//! `cargo run --release -p ambo-logs --example append_rate -- DIRECTORY`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_logs::{LogFilter, LogSettings, LogStore};
use ambo_model::{AppId, LogLine, LogSource, Timestamp};
use tokio_util::sync::CancellationToken;

/// How long the lines pour in.
const MEASURED: Duration = Duration::from_secs(5);
/// Lines a second, spread over the apps.
const LINES_PER_SECOND: u32 = 30_000;
/// How many apps take turns.
const APPS: usize = 10;
/// How many more apps say one line and fall silent.
const IDLE_APPS: usize = 10_000;
/// An access line of the router is about as long.
const TEXT: &str = "at=info method=GET path=\"/products/1234?page=2\" host=shop.localhost request_id=0199f1c2-7c1b-7a3e-9d2f-1b2c3d4e5f60 fwd=\"203.0.113.7\" dyno=web.1 connect=0ms service=3ms status=200 bytes=5123 protocol=http";

#[tokio::main]
#[allow(clippy::print_stdout, reason = "what it prints is what it is for")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir_in(std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from))?;
    let settings = LogSettings { idle: Duration::ZERO, ..LogSettings::default() };
    let logs = Arc::new(LogStore::open(directory.path(), settings)?);
    let shutdown = CancellationToken::new();
    let (running, stop) = (Arc::clone(&logs), shutdown.clone());
    let run = tokio::spawn(async move { running.run(stop).await });

    let apps: Vec<AppId> = (0..APPS).map(|_| AppId::new()).collect();
    let appended = Arc::clone(&logs);
    let to = apps.clone();
    let (lines, busy) = tokio::task::spawn_blocking(move || append(&appended, &to)).await?;
    println!("{lines} lines in {MEASURED:?}; an append takes {:?}; resident {} KiB", busy / lines, resident_kib());
    logs.flush().await;
    let mut overflows = 0;
    for app in &apps {
        let filter = LogFilter { name: Some("logs".to_owned()), ..LogFilter::default() };
        overflows += logs.tail(*app, 100, filter).await.len();
    }
    println!("{overflows} lines tell of dropped ones");

    let before = resident_kib();
    for _ in 0..IDLE_APPS {
        logs.append(line(AppId::new()));
    }
    logs.flush().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    println!("{IDLE_APPS} idle apps: {} KiB more resident", resident_kib().saturating_sub(before));
    let app = AppId::new();
    logs.append(line(app));
    println!("a tail gives {} line", logs.tail(app, 10, LogFilter::default()).await.len());
    shutdown.cancel();
    run.await?;
    let begun = Instant::now();
    LogStore::open(directory.path(), LogSettings::default())?;
    println!("opening the logs of {} apps takes {:?}", IDLE_APPS + APPS, begun.elapsed());
    Ok(())
}

/// Appends at the wanted rate, in small bursts; gives the count and the time spent in appends.
fn append(logs: &LogStore, apps: &[AppId]) -> (u32, Duration) {
    let begun = Instant::now();
    let (mut lines, mut busy) = (0, Duration::ZERO);
    while begun.elapsed() < MEASURED {
        let due = (begun.elapsed().as_secs_f64() * f64::from(LINES_PER_SECOND)) as u32;
        let burst: Vec<LogLine> = (lines..due).map(|number| line(apps[number as usize % apps.len()])).collect();
        let started = Instant::now();
        burst.into_iter().for_each(|line| logs.append(line));
        busy += started.elapsed();
        lines = due;
        std::thread::park_timeout(Duration::from_millis(1));
    }
    (lines, busy)
}

fn line(app: AppId) -> LogLine {
    LogLine { app, at: Timestamp::now(), source: LogSource::Ambo, name: "router".to_owned(), text: TEXT.to_owned() }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}
