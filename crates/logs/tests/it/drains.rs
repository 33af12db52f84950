//! Drains against real receivers on the loopback.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_logs::drain::{DrainDelivery, DrainProgress, DrainTotal, DrainUrl};
use ambo_logs::{LogSettings, LogStore};
use ambo_model::{AppId, DrainToken, LogLine, LogSource, Timestamp};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);

fn anywhere(_: IpAddr) -> Option<&'static str> {
    None
}

struct World {
    logs: Arc<LogStore>,
    app: AppId,
    token: DrainToken,
    progress: DrainProgress,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let logs = Arc::new(LogStore::open(dir.path(), LogSettings::default()).unwrap());
        Self { logs, app: AppId::new(), token: DrainToken::new(), progress: DrainProgress::default(), _dir: dir }
    }

    fn say(&self, text: &str) {
        let (at, source, name) = (Timestamp::now(), LogSource::App, "web.1".to_owned());
        self.logs.append(LogLine { app: self.app, at, source, name, text: text.to_owned() });
    }

    fn drain(&self, url: &str) -> (CancellationToken, JoinHandle<()>) {
        let delivery = DrainDelivery {
            app: self.app,
            token: self.token.clone(),
            url: DrainUrl::parse(url, anywhere).unwrap(),
            guard: anywhere,
            total: DrainTotal::default(),
            progress: self.progress.clone(),
        };
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(delivery.run(Arc::clone(&self.logs), stop)))
    }

    /// Waits until the app's own log says this.
    async fn heard(&self, text: &str) {
        in_time(text, async {
            loop {
                let lines = self.logs.tail(self.app, 10_000, Default::default()).await;
                if lines.iter().any(|record| record.line.text.contains(text)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what}: not in time"))
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// One octet-counted message.
async fn message(stream: &mut BufReader<TcpStream>) -> String {
    in_time("a message", async {
        let mut count = Vec::new();
        stream.read_until(b' ', &mut count).await.unwrap();
        let count: usize = std::str::from_utf8(&count).unwrap().trim().parse().unwrap();
        let mut message = vec![0; count];
        stream.read_exact(&mut message).await.unwrap();
        String::from_utf8(message).unwrap()
    })
    .await
}

async fn accept(listener: &TcpListener) -> BufReader<TcpStream> {
    BufReader::new(in_time("a connection", listener.accept()).await.unwrap().0)
}

/// A request's head and body.
async fn request(stream: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(in_time("a head", stream.read_line(&mut head)).await.unwrap(), 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    in_time("a body", stream.read_exact(&mut body)).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

async fn answer(stream: &mut BufReader<TcpStream>, status: &str) {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    stream.get_mut().write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn lines_go_over_syslog_as_they_come_and_over_a_new_connection_when_the_old_one_closes() {
    let world = World::new();
    let (listener, address) = listener().await;
    let (stop, task) = world.drain(&format!("syslog://{address}"));
    world.say("one");
    let mut stream = accept(&listener).await;
    let first = message(&mut stream).await;
    assert!(first.starts_with("<190>1 ") && first.ends_with(&format!(" {} app web.1 - - one", world.token)), "{first}");
    world.say("two");
    assert!(message(&mut stream).await.ends_with(" two"));
    drop(stream);
    in_time("a line over a new connection", async {
        loop {
            world.say("three");
            if let Ok(accepted) = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await {
                let mut stream = BufReader::new(accepted.unwrap().0);
                assert!(message(&mut stream).await.ends_with(" three"));
                return;
            }
        }
    })
    .await;
    stop.cancel();
    in_time("the end", task).await.unwrap();
    assert!(world.progress.cursor() > 0);
}

#[tokio::test]
async fn posts_are_as_herokus_and_are_sent_again_until_they_are_taken() {
    let world = World::new();
    let (listener, address) = listener().await;
    let (_stop, _task) = world.drain(&format!("http://user:s3cret@{address}/logs?x=1"));
    world.say("one");
    let mut stream = accept(&listener).await;
    let (head, body) = request(&mut stream).await;
    for wanted in [
        "post /logs?x=1 http/1.1\r\n",
        "content-type: application/logplex-1\r\n",
        "logplex-msg-count: 1\r\n",
        "authorization: basic dxnlcjpzm2nyzxq=\r\n",
        &format!("logplex-drain-token: {}\r\n", world.token),
    ] {
        assert!(head.contains(wanted), "{wanted} in {head}");
    }
    assert!(body.ends_with(" host app web.1 - one\n"), "{body}");
    answer(&mut stream, "503 Not Now").await;
    let id = |head: &str| head.lines().find(|line| line.starts_with("logplex-frame-id")).unwrap().to_owned();
    let (again, same) = request(&mut stream).await;
    assert_eq!((id(&again), same), (id(&head), body));
    answer(&mut stream, "204 Taken").await;
    world.heard("takes no lines: it answers 503").await;
    world.heard("takes lines again").await;
    world.say("two");
    world.say("three");
    let (head, body) = request(&mut stream).await;
    assert_ne!(id(&again), id(&head));
    assert!(body.contains(" - two\n"), "{body}");
    assert!(!body.contains("takes"), "what the log says of drains goes to none: {body}");
}

#[tokio::test]
async fn a_dead_drain_keeps_the_newest_lines_and_says_how_many_went() {
    let world = World::new();
    let (listener, address) = listener().await;
    drop(listener);
    let (_stop, _task) = world.drain(&format!("syslog://{address}"));
    world.say("first");
    world.heard("takes no lines").await;
    for number in 0..5000 {
        world.say(&format!("line {number}"));
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    world.heard("Error L10 (output buffer overflow): drain 'd.").await;
    let listener = in_time("the port again", async {
        loop {
            match TcpListener::bind(&address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    })
    .await;
    let mut stream = accept(&listener).await;
    assert!(message(&mut stream).await.ends_with(" first"), "what was being sent is sent");
    let dropped = message(&mut stream).await;
    assert!(dropped.contains(" heroku logplex - - Error L10 (output buffer overflow): "), "{dropped}");
    let mut last = String::new();
    while !last.ends_with(" line 4999") {
        last = message(&mut stream).await;
    }
    assert!(world.progress.cursor() > 0);
}

#[tokio::test]
async fn a_delivery_goes_on_where_the_last_one_stopped() {
    let world = World::new();
    let (listener, address) = listener().await;
    let url = format!("syslog://{address}");
    let (stop, task) = world.drain(&url);
    world.say("one");
    let mut stream = accept(&listener).await;
    message(&mut stream).await;
    stop.cancel();
    in_time("the end", task).await.unwrap();
    world.say("two");
    let (_stop, _task) = world.drain(&url);
    let mut stream = accept(&listener).await;
    assert!(message(&mut stream).await.ends_with(" two"));
}

#[tokio::test]
async fn a_delivery_ends_with_its_apps_log() {
    let world = World::new();
    let (listener, address) = listener().await;
    let (_stop, task) = world.drain(&format!("syslog://{address}"));
    world.say("one");
    let _stream = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    world.logs.remove(world.app).await;
    in_time("the end", task).await.unwrap();
}
