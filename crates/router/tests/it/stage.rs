//! A router with instances behind it and clients before it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_model::{AppId, AppName, Hostname, InstanceId, Route, RouteTable, Target};
use ambo_router::{
    AccessRecord, AccessSink, Certificate, Listeners, Router, RouterError, RouterHandle, RouterSettings, Stopped,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Keeps every record.
#[derive(Debug, Default)]
pub(crate) struct Records(pub(crate) Mutex<Vec<AccessRecord>>);

impl AccessSink for Records {
    fn record(&self, record: AccessRecord) {
        self.0.lock().push(record);
    }
}

/// A running router.
pub(crate) struct Stage {
    pub(crate) handle: RouterHandle,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) records: Arc<Records>,
    pub(crate) listeners: Listeners,
    shutdown: Option<oneshot::Sender<()>>,
    run: JoinHandle<Result<Stopped, RouterError>>,
}

pub(crate) fn settings() -> RouterSettings {
    RouterSettings {
        http: vec![LOCAL],
        worker_count: 2,
        drain_deadline: Duration::from_secs(20),
        ..RouterSettings::default()
    }
}

impl Stage {
    pub(crate) fn start() -> Self {
        Self::with(settings(), None)
    }

    pub(crate) fn with(settings: RouterSettings, certificate: Option<Certificate>) -> Self {
        let records = Arc::new(Records::default());
        let router = Router::bind(settings, Arc::clone(&records) as Arc<dyn AccessSink>, certificate).unwrap();
        Self::running(router, records)
    }

    pub(crate) fn running(router: Router, records: Arc<Records>) -> Self {
        let first = |addresses: Vec<SocketAddr>| addresses.first().copied().unwrap_or(LOCAL);
        let (http, https) = (first(router.listeners().http_addresses()), first(router.listeners().https_addresses()));
        let (handle, listeners) = (router.handle(), router.listeners().try_clone().unwrap());
        let (shutdown, asked) = oneshot::channel();
        let run = tokio::spawn(router.run(async move {
            let _ = asked.await;
        }));
        Self { handle, http, https, records, listeners, shutdown: Some(shutdown), run }
    }

    /// A router whose only route is `app.localhost`.
    pub(crate) fn with_app(settings: RouterSettings, targets: Vec<Target>) -> Self {
        let stage = Self::with(settings, None);
        stage.handle.publish(table(vec![route("app", targets)]));
        stage
    }

    pub(crate) fn shutdown_begin(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn stopped(mut self) -> Stopped {
        if self.shutdown.is_some() {
            self.shutdown_begin();
        }
        tokio::time::timeout(PATIENCE, self.run).await.unwrap().unwrap().unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.http).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Reply {
        let mut client = self.client().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        client.reply().await
    }

    /// Waits for a record that satisfies the condition.
    pub(crate) async fn record(&self, mut wanted: impl FnMut(&AccessRecord) -> bool) -> AccessRecord {
        let found = wait_for(|| self.records.0.lock().iter().find(|record| wanted(record)).cloned());
        found.await
    }
}

/// Waits until there is something.
pub(crate) async fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn route(name: &str, targets: Vec<Target>) -> Route {
    Route {
        app: AppId::new(),
        app_name: AppName::parse(name).unwrap(),
        hosts: vec![Hostname::parse(&format!("{name}.localhost")).unwrap()],
        targets,
        maintenance: false,
        crashed: false,
    }
}

pub(crate) fn table(routes: Vec<Route>) -> RouteTable {
    RouteTable { routes }
}

pub(crate) fn target(id: &str, endpoint: SocketAddr) -> Target {
    Target { instance: InstanceId::new(id), name: format!("web.{id}"), endpoint }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind(LOCAL).await.unwrap().local_addr().unwrap()
}

/// A server that handles each connection with a function of the test's.
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    accept: AbortHandle,
}

impl Instance {
    pub(crate) async fn start<F, H>(handle: F) -> Self
    where
        F: Fn(Client) -> H + Send + 'static,
        H: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(LOCAL).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                connections.spawn(handle(Client { stream, buffer: Vec::new() }));
            }
        });
        Self { address, accept: task.abort_handle() }
    }

    /// Answers each request on a connection with what the function makes of its head.
    pub(crate) async fn answering(answer: impl Fn(&Reply) -> String + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::start(move |mut client| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some(request) = client.message().await {
                    client.send(&answer(&request)).await;
                }
            }
        })
        .await
    }

    /// Says its name.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::answering(move |_| ok(name)).await
    }

    pub(crate) fn target(&self, id: &str) -> Target {
        target(id, self.address)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// One side of a connection, read message by message.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

/// A message: a response, or on the instance's side a request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Sends; a peer that has gone shows in the reply.
    pub(crate) async fn send(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Reads more; false at the end.
    pub(crate) async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        matches!(read.expect("the peer says nothing"), Ok(1..))
    }

    /// Reads until the text has come, and takes everything up to its end.
    pub(crate) async fn until(&mut self, text: &str) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(text.len()).position(|window| window == text.as_bytes()) {
                let taken: Vec<u8> = self.buffer.drain(..at + text.len()).collect();
                return Some(String::from_utf8(taken).unwrap());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn exactly(&mut self, len: usize) -> Option<String> {
        while self.buffer.len() < len {
            if !self.more().await {
                return None;
            }
        }
        Some(String::from_utf8(self.buffer.drain(..len).collect()).unwrap())
    }

    /// The next message with its body; `None` when the connection ends before or within it.
    pub(crate) async fn message(&mut self) -> Option<Reply> {
        let mut reply = Reply { head: self.until("\r\n\r\n").await?, body: String::new() };
        if reply.head.starts_with("HTTP/1.1 100") {
            reply.head = self.until("\r\n\r\n").await?;
        }
        if let Some(len) = reply.header("content-length") {
            let len = len.parse().unwrap();
            reply.body = self.exactly(len).await?;
        } else if reply.header("transfer-encoding").is_some() {
            loop {
                let size = self.until("\r\n").await?;
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                if size == 0 {
                    reply.body.push_str(&self.until_blank().await?);
                    break;
                }
                reply.body.push_str(&self.exactly(size).await?);
                self.exactly(2).await?;
            }
        }
        Some(reply)
    }

    /// Trailers, up to the blank line.
    async fn until_blank(&mut self) -> Option<String> {
        let mut trailers = String::new();
        loop {
            let line = self.until("\r\n").await?;
            if line == "\r\n" {
                return Some(trailers);
            }
            trailers.push_str(&line);
        }
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        self.message().await.expect("the connection ended without a complete response")
    }

    /// Waits for the end; true when nothing more came.
    pub(crate) async fn ends(&mut self) -> bool {
        !self.more().await
    }
}
