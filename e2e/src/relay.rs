//! Between a client and the platform: passes everything on, and judges the answers by Heroku's schema.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use ambo_heroku_schema::HerokuSchema;
use serde_json::Value;

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Longest answer that is judged, in bytes.
const JUDGED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A relay on a port of its own. One request per connection, so that what belongs together is plain.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    ended: AtomicBool,
    complaints: Mutex<Vec<String>>,
    requests: Mutex<Vec<String>>,
    losing: Mutex<Option<String>>,
    open: Mutex<Vec<TcpStream>>,
}

struct Request {
    line: String,
    bytes: Vec<u8>,
}

impl Relay {
    /// A relay to `http://HOST:PORT`.
    ///
    /// # Panics
    /// When there is no port to listen on.
    #[must_use]
    pub fn to(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared {
            upstream: upstream.trim_start_matches("http://").to_owned(),
            ended: AtomicBool::new(false),
            complaints: Mutex::default(),
            requests: Mutex::default(),
            losing: Mutex::default(),
            open: Mutex::default(),
        });
        let for_all = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if for_all.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_all);
                // It ends with its connection: the client's end or the platform's ends it.
                std::thread::spawn(move || shared.serve(&client));
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, as `POST /apps`.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().expect("no test panicked here").clone()
    }

    /// Loses the answer to the next request of this method and path (`POST /apps`): the platform has done it, the client
    /// sees its connection reset.
    ///
    /// # Panics
    /// Never.
    pub fn lose_answer(&self, request: &str) {
        *self.shared.losing.lock().expect("no test panicked here") = Some(request.to_owned());
    }

    /// Ends the streams that are open now, as a proxy does that has had enough of them.
    ///
    /// # Panics
    /// Never.
    pub fn end_streams(&self) {
        for mut connection in self.shared.open.lock().expect("no test panicked here").drain(..) {
            // The last chunk of a body.
            let _ = connection.write_all(b"0\r\n\r\n");
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Says that every answer so far was as the schema has it.
    ///
    /// # Panics
    /// When one was not.
    #[track_caller]
    pub fn assert_no_complaints(&self) {
        let complaints = self.shared.complaints.lock().expect("no test panicked here");
        assert!(complaints.is_empty(), "answers that are not Heroku's:\n{}", complaints.join("\n"));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) {
        let Some(request) = read_request(client) else { return };
        self.open.lock().expect("no test panicked here").extend(client.try_clone());
        self.requests.lock().expect("no test panicked here").push(request.line.clone());
        let lost = {
            let mut losing = self.losing.lock().expect("no test panicked here");
            if losing.as_ref() == Some(&request.line) { losing.take() } else { None }
        };
        let Ok(mut platform) = TcpStream::connect(&self.upstream) else { return };
        if platform.write_all(&request.bytes).is_err() {
            return;
        }
        let answer = pass_on(&platform, if lost.is_some() { None } else { Some(client) });
        let _ = client.shutdown(Shutdown::Both);
        let told = judge(&request.line, &answer);
        self.complaints.lock().expect("no test panicked here").extend(told);
    }
}

/// Passes an answer on as it comes, and keeps its beginning.
fn pass_on(mut platform: &TcpStream, client: Option<&TcpStream>) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = platform.read(&mut buffer) {
        if let Some(mut client) = client
            && client.write_all(&buffer[..count]).is_err()
        {
            break;
        }
        if kept.len() < JUDGED_BYTES_MAX {
            kept.extend_from_slice(&buffer[..count]);
        }
    }
    kept
}

/// Reads a request and makes it the last of its connection.
fn read_request(mut client: &TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0 && bytes.len() < HEAD_BYTES_MAX)?;
        bytes.extend_from_slice(&buffer[..count]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length: usize = header(&head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
    let line = head.lines().next()?.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let kept = head.trim_end().lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut forwarded = kept.map(|line| format!("{line}\r\n")).collect::<String>();
    forwarded.push_str("Connection: close\r\n\r\n");
    let mut forwarded = forwarded.into_bytes();
    forwarded.extend_from_slice(&bytes[end..]);
    Some(Request { line, bytes: forwarded })
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// What is wrong with an answer.
fn judge(line: &str, answer: &[u8]) -> Vec<String> {
    static SCHEMA: OnceLock<HerokuSchema> = OnceLock::new();
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Vec::new() };
    let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    if header(head, "request-id").is_none() {
        return vec![format!("{line}: no Request-Id")];
    }
    let json = header(head, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let body = if header(head, "transfer-encoding") == Some("chunked") { unchunked(body) } else { body.to_owned() };
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    if status >= 400 {
        let told = body["id"].is_string() && body["message"].is_string();
        return if told || line.contains("/ambo/logs/") {
            Vec::new()
        } else {
            vec![format!("{line}: {status}, {body}")]
        };
    }
    let Some((method, path)) = line.split_once(' ') else { return Vec::new() };
    if !json {
        return Vec::new();
    }
    let complaints = SCHEMA.get_or_init(HerokuSchema::new).complaints(method, path, &body).unwrap_or_default();
    complaints.iter().map(|complaint| format!("{line}: {complaint}\n    {body}")).collect()
}

fn unchunked(body: &str) -> String {
    let (mut text, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(chunk) = after.get(..size).filter(|_| size > 0) else { break };
        text.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    text
}
