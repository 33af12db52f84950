//! The access log.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::LogSource;
use ambo_router::{AccessRecord, AccessSink, LogLines, Router};
use parking_lot::{Condvar, Mutex};
use tokio::io::AsyncWriteExt;

use crate::stage::{Instance, Stage, route, settings, table};

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_an_app_has_a_line_and_one_for_no_app_has_none() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let sink = LogLines(Arc::new(move |line| kept.lock().push(line)));
    let router = Router::bind(settings(), Arc::new(sink), None).unwrap();
    let stage = Stage::running(router, Arc::default());
    let instance = Instance::named("hello").await;
    let app = route("app", vec![instance.target("1")]);
    let id = app.app;
    stage.handle.publish(table(vec![app]));
    assert_eq!(stage.get("nobody.localhost", "/").await.status(), 404);
    for n in 0..100 {
        assert_eq!(stage.get("app.localhost", &format!("/{n}?q=1")).await.status(), 200);
    }
    stage.stopped().await;
    let lines = lines.lock();
    assert_eq!(lines.len(), 100, "all are there once the router has stopped");
    let line = &lines[0];
    assert_eq!((line.app, line.source, line.name.as_str()), (id, LogSource::Ambo, "router"));
    let text = lines.iter().map(|line| &line.text).find(|text| text.contains("path=\"/42?q=1\"")).unwrap();
    assert!(text.starts_with("at=info method=GET path=\"/42?q=1\" host=app.localhost request_id="), "{text}");
    assert!(text.contains(" fwd=\"127.0.0.1\" dyno=web.1 connect="), "{text}");
    assert!(text.ends_with(" status=200 bytes=5 protocol=http"), "{text}");
}

/// A sink that blocks until it is let go.
#[derive(Debug, Default)]
struct Stuck {
    free: Mutex<bool>,
    freed: Condvar,
}

impl AccessSink for Stuck {
    fn record(&self, _: AccessRecord) {
        let mut free = self.free.lock();
        while !*free {
            self.freed.wait(&mut free);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_log_drops_lines_and_slows_no_request() {
    let sink = Arc::new(Stuck::default());
    let settings = ambo_router::RouterSettings { worker_count: 1, ..settings() };
    let router = Router::bind(settings, Arc::clone(&sink) as Arc<dyn AccessSink>, None).unwrap();
    let stage = Stage::running(router, Arc::default());
    let (mut reader, mut writer) = stage.client().await.stream.into_split();
    let read = tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
    let burst = "GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n".repeat(100);
    // The ring holds some thousands of records; pipelined requests fill it soon.
    let filled = async {
        while stage.handle.access_dropped() == 0 {
            writer.write_all(burst.as_bytes()).await.unwrap();
        }
    };
    let filled = tokio::time::timeout(4 * crate::stage::PATIENCE, filled).await;
    *sink.free.lock() = true;
    sink.freed.notify_all();
    filled.expect("requests wait for the log");
    drop(writer);
    read.abort();
    tokio::time::timeout(Duration::from_secs(20), stage.stopped()).await.unwrap();
}
