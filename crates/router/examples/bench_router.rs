//! A router by itself, to be measured against other proxies.
//!
//! `bench_router LISTEN UPSTREAM [WORKERS]` serves the host `bench.localhost` on `LISTEN` from `UPSTREAM`, with one worker
//! unless told otherwise. The access log is on: every line is made and counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ambo_model::{AppId, AppName, Hostname, InstanceId, Route, RouteTable, Target};
use ambo_router::{LogLines, Router, RouterSettings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, rest @ ..] = &arguments[..] else {
        return Err("usage: bench_router LISTEN UPSTREAM [WORKERS]".into());
    };
    let worker_count = rest.first().map_or(Ok(1), |count| count.parse())?;
    let settings = RouterSettings { http: vec![listen.parse()?], worker_count, ..RouterSettings::default() };
    let lines = Arc::new(AtomicU64::new(0));
    let bytes = Arc::new(AtomicU64::new(0));
    let sink = {
        let (lines, bytes) = (Arc::clone(&lines), Arc::clone(&bytes));
        LogLines(Arc::new(move |line| {
            lines.fetch_add(1, Ordering::Relaxed);
            bytes.fetch_add(line.text.len() as u64, Ordering::Relaxed);
        }))
    };
    let router = Router::bind(settings, Arc::new(sink), None)?;
    let handle = router.handle();
    handle.publish(table(upstream.parse()?)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(router.run(async {
        // Without a signal handler it would run for ever, which is as good.
        let _ = tokio::signal::ctrl_c().await;
    }))?;
    eprint_result(lines.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed), handle.access_dropped());
    Ok(())
}

fn table(upstream: SocketAddr) -> Result<RouteTable, Box<dyn std::error::Error>> {
    let target = Target { instance: InstanceId::new("bench"), name: "web.1".to_owned(), endpoint: upstream };
    Ok(RouteTable {
        routes: vec![Route {
            app: AppId::new(),
            app_name: AppName::parse("bench")?,
            hosts: vec![Hostname::parse("bench.localhost")?],
            targets: vec![target],
            maintenance: false,
            crashed: false,
        }],
    })
}

#[expect(clippy::print_stderr, reason = "an example may speak")]
fn eprint_result(lines: u64, bytes: u64, dropped: u64) {
    eprintln!("log lines: {lines}, their bytes: {bytes}, dropped: {dropped}");
}
