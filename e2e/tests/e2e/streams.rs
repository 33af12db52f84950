//! Connections that stay: WebSockets, events, large bodies, many requests on one connection, and those that break off.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use ambo_e2e::{Platform, Said, Source, User, WebSocket, Wire, get_with, odd_app, odd_app_seen, run, wait_until};

/// How long an instance that is going keeps its requests, and then has to stop.
const GRACE: Duration = Duration::from_secs(8);
const BODY_BYTES: usize = 50_000_000;
/// How much memory `ambod` may take more of while such bodies pass through it.
const GROWTH_KIB_MAX: u64 = 30 * 1024;

fn pushed_odd_app(ann: &User<'_>) {
    let source = odd_app(ann, "odd");
    source.create_app("odd");
    source.push().ok();
}

/// Waits for the router's line in the app's log about a path.
fn router_line(ann: &User<'_>, app: &str, path: &str) -> String {
    wait_until(&format!("the router's line about {path}"), || {
        let logs = ann.ambo(&["logs", "-n", "200", "-a", app]).ok().stdout;
        let wanted = format!("path=\"{path}\"");
        logs.lines().find(|line| line.contains("ambo[router]") && line.contains(&wanted)).map(str::to_owned)
    })
}

#[test]
fn a_websocket_outlives_a_deploy_and_is_closed_by_its_app() {
    let seconds = GRACE.as_secs().to_string();
    let platform = Platform::start_with(&[("AMBO_REGISTRATION", "open"), ("AMBO_GRACE_SECONDS", &seconds)]);
    let ann = platform.user("ann");
    let source = Source::example(&ann, "websocket-chat", "chat");
    source.create_app("chat");
    source.push().ok();

    let mut echo = WebSocket::open(&platform, "chat", "/ws");
    echo.send("there and back");
    assert_eq!(echo.text(), "there and back");
    let (mut listener, mut speaker) =
        (WebSocket::open(&platform, "chat", "/chat"), WebSocket::open(&platform, "chat", "/chat"));
    speaker.send("hello all");
    assert_eq!(listener.text(), "hello all", "it comes without being asked for");

    let server = fs::read_to_string(source.path().join("server.js")).expect("the example");
    source.write("server.js", &server.replace("tellAll(String(message))", "tellAll(`new: ${message}`)"));
    source.commit("Second");
    source.push().ok();
    let switched = Instant::now();
    let mut newcomer = WebSocket::open(&platform, "chat", "/chat");
    newcomer.send("who is there");
    assert_eq!(newcomer.text(), "new: who is there", "a new connection reaches the new release");
    speaker.send("still here");
    assert_eq!(listener.text(), "still here", "an old one is kept");

    assert_eq!(listener.said(), Said::Close(1001), "the app that goes says so");
    assert!(switched.elapsed() + Duration::from_secs(3) > GRACE, "not before its grace: {:?}", switched.elapsed());
    assert_eq!(listener.said(), Said::End);
    newcomer.send("and now");
    assert_eq!(newcomer.text(), "new: and now");
    drop((listener, speaker));
    let line = router_line(&ann, "chat", "/chat");
    assert!(line.contains("status=101") && line.contains("at=info"), "{line}");
}

#[test]
fn events_and_large_bodies_flow_through() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let chat = Source::example(&ann, "websocket-chat", "chat");
    chat.create_app("chat");
    chat.push().ok();
    let mut events = Wire::open(&platform);
    events.send("GET /events?interval=200 HTTP/1.1\r\nHost: chat.localhost\r\nAccept: text/event-stream\r\n\r\n");
    let head = events.head().expect("an answer");
    assert!(head.head.to_lowercase().contains("content-type: text/event-stream"), "{head:?}");
    let first = events.until("data: 1\n").expect("the first event, of a response that has no end");
    assert!(!first.contains("data: 2"), "{first}");
    events.until("data: 3\n").expect("and further ones");
    events.leave();

    pushed_odd_app(&ann);
    let file = platform.path().join("large");
    let line: Vec<u8> = (0..=u8::MAX).cycle().take(BODY_BYTES).collect();
    fs::write(&file, line).expect("a large file");
    let path = file.to_str().expect("a path");
    let memory = MemoryPeak::begin(platform.pid());
    let up = get_with(&platform.app_url("odd", "/upload"), &["-T", path]);
    assert_eq!(up.body, format!("{} {BODY_BYTES}", sha256(path)), "{up:?}");
    let chunked = get_with(&platform.app_url("odd", "/upload"), &["-T", path, "-H", "Transfer-Encoding: chunked"]);
    assert_eq!(chunked.body, up.body);
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "60", "--noproxy", "*", "-D", "-", "-o", path]);
    let down = run(curl.arg(platform.app_url("odd", &format!("/download/{BODY_BYTES}")))).ok();
    assert!(down.stdout.to_lowercase().contains(&format!("x-sha256: {}", sha256(path))), "{down}");
    let grown = memory.grown_kib();
    assert!(grown < GROWTH_KIB_MAX, "150 MB through the router took {grown} KiB of memory");
}

fn sha256(path: &str) -> String {
    let ran = run(Command::new("sha256sum").arg(path)).ok();
    ran.stdout.split(' ').next().expect("a digest").to_owned()
}

/// The most memory that a process has had since a moment.
struct MemoryPeak {
    pid: u32,
    resident_kib: u64,
}

impl MemoryPeak {
    fn begin(pid: u32) -> Self {
        // Forgets the peak so far.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
        Self { pid, resident_kib: status_kib(pid, "VmRSS:") }
    }

    fn grown_kib(&self) -> u64 {
        status_kib(self.pid, "VmHWM:").saturating_sub(self.resident_kib)
    }
}

fn status_kib(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line of /proc");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn a_connection_carries_many_requests_and_never_a_smuggled_one() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    pushed_odd_app(&ann);
    let mut wire = Wire::open(&platform);
    for number in 0..200 {
        let answer = wire.send(format!("GET /kept/{number} HTTP/1.1\r\nHost: odd.localhost\r\n\r\n")).answer();
        assert_eq!(answer.expect("it is kept").body, format!("GET /kept/{number} "));
    }
    let requests: Vec<_> =
        (0..3).map(|number| format!("GET /piped/{number} HTTP/1.1\r\nHost: odd.localhost\r\n\r\n")).collect();
    wire.send(requests.concat());
    for number in 0..3 {
        assert_eq!(wire.answer().expect("an answer").body, format!("GET /piped/{number} "), "in order");
    }
    wire.send("HEAD /head HTTP/1.1\r\nHost: odd.localhost\r\n\r\n");
    let head = wire.head().expect("an answer");
    assert!(head.status == 200 && head.head.to_lowercase().contains("content-length: 11"), "{head:?}");
    wire.send("POST /expect HTTP/1.1\r\nHost: odd.localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(wire.head().expect("it may go on, and nothing of HEAD's body came").status, 100);
    assert_eq!(wire.send("body").answer().expect("an answer").body, "POST /expect body");

    for (number, (head, body, expected)) in ATTEMPTS.iter().enumerate() {
        attempt(&platform, number, head, body, expected);
    }
    let seen = odd_app_seen(&platform, "odd");
    assert!(seen.len() > 200, "{seen:?}");
    for request in &seen {
        let line = request["line"].as_str().expect("a line");
        assert!(!line.contains("/smuggled"), "{request}");
        let headers = &request["headers"];
        let framed_twice = headers.get("content-length").is_some() && headers.get("transfer-encoding").is_some();
        assert!(!framed_twice, "{request}");
        assert!(headers["host"].as_str().is_some_and(|host| host.starts_with("odd.localhost")), "{request}");
    }
}

/// What must become of an attempt.
enum Fate {
    /// 400, and the connection is closed.
    Refused,
    /// One request with this body; the connection is closed, or carries the next one.
    Taken(&'static str),
    /// No answer that looks complete: its body breaks off.
    Broken,
}

/// Headers and body of requests that try to bring another one along. `!` stands for the request that is brought along.
const ATTEMPTS: &[(&str, &str, Fate)] = &[
    ("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\n!", Fate::Refused),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n!", Fate::Refused),
    ("Content-Length: 0\r\nContent-Length: 44", "!", Fate::Refused),
    ("Content-Length: 3\r\ncontent-length: 3", "abc!", Fate::Refused),
    ("Content-Length: 3, 3", "abc!", Fate::Refused),
    ("Content-Length: +3", "abc!", Fate::Refused),
    ("Content-Length: 0x3", "abc!", Fate::Refused),
    ("Content-Length: -1", "!", Fate::Refused),
    ("Content-Length: 99999999999999999999999", "!", Fate::Refused),
    ("Content-Length : 3", "abc!", Fate::Refused),
    ("X-Folded: a\r\n Content-Length: 3", "!", Fate::Refused),
    ("Transfer-Encoding:\r\n chunked\r\nContent-Length: 3", "abc!", Fate::Refused),
    ("Transfer-Encoding : chunked", "0\r\n\r\n!", Fate::Refused),
    ("Transfer-Encoding: xchunked", "0\r\n\r\n!", Fate::Refused),
    ("Transfer-Encoding: chunked, identity", "0\r\n\r\n!", Fate::Refused),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n!", Fate::Refused),
    ("Transfer-Encoding: \u{b}chunked", "0\r\n\r\n!", Fate::Refused),
    ("X: a\rContent-Length: 3", "!", Fate::Refused),
    ("X: a\0b", "!", Fate::Refused),
    ("Host: other.localhost", "!", Fate::Refused),
    ("Connection: Content-Length, Host\r\nContent-Length: 3", "abc", Fate::Taken("abc")),
    ("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", Fate::Taken("abc")),
    ("Transfer-Encoding: chunked", "3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n", Fate::Taken("abc")),
    ("Transfer-Encoding: chunked", "0\r\nContent-Length: 44\r\nX: y\r\n\r\n", Fate::Taken("")),
    ("TRANSFER-ENCODING: Chunked", "003\r\nabc\r\n0\r\n\r\n", Fate::Taken("abc")),
    ("Transfer-Encoding: chunked", "3;\nabc\r\n0\r\n\r\n!", Fate::Broken),
    ("Transfer-Encoding: chunked", "0x3\r\nabc\r\n0\r\n\r\n!", Fate::Broken),
    ("Transfer-Encoding: chunked", "-3\r\nabc\r\n0\r\n\r\n!", Fate::Broken),
    ("Transfer-Encoding: chunked", "10000000000000003\r\nabc\r\n0\r\n\r\n!", Fate::Broken),
    ("Transfer-Encoding: chunked", "3\r\nabcX\r\n0\r\n\r\n!", Fate::Broken),
];

fn attempt(platform: &Platform, number: usize, head: &str, body: &str, fate: &Fate) {
    const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: odd.localhost\r\n\r\n";
    let body = body.replace('!', SMUGGLED);
    let mut wire = Wire::open(platform);
    wire.send(format!("POST /attempt/{number} HTTP/1.1\r\nHost: odd.localhost\r\n{head}\r\n\r\n{body}"));
    let answer = wire.answer();
    let what = format!("{head:?} with {body:?} gave {answer:?}");
    match fate {
        Fate::Refused => {
            assert_eq!(answer.expect(&what).status, 400, "{what}");
            assert_eq!(wire.rest(), "", "{what}");
        }
        Fate::Taken(body) => {
            assert_eq!(answer.expect(&what).body, format!("POST /attempt/{number} {body}"), "{what}");
            let next = wire.send("GET /next HTTP/1.1\r\nHost: odd.localhost\r\n\r\n").answer();
            assert!(next.as_ref().is_none_or(|next| next.body == "GET /next "), "{what}, then {next:?}");
        }
        Fate::Broken => {
            assert!(answer.is_none_or(|answer| answer.status >= 400), "{what}");
            assert_eq!(wire.rest(), "", "{what}");
        }
    }
}

#[test]
fn what_breaks_off_has_its_code_in_the_log_and_its_page() {
    let settings = [("AMBO_REGISTRATION", "open"), ("AMBO_RESPONSE_SECONDS", "2")];
    let platform = Platform::start_with(&settings);
    let ann = platform.user("ann");
    pushed_odd_app(&ann);
    let page = |path: &str| platform.app_get("odd", path);

    let mut reader = Wire::open(&platform);
    reader.send("GET /drip HTTP/1.1\r\nHost: odd.localhost\r\n\r\n");
    reader.until("drip").expect("a beginning");
    reader.leave();
    let line = router_line(&ann, "odd", "/drip");
    assert!(line.contains("code=H27") && line.contains("status=499"), "{line}");
    wait_until("the app knows that nobody reads", || {
        odd_app_seen(&platform, "odd").iter().any(|seen| seen["line"] == "LEFT /drip").then_some(())
    });

    let late = page("/never");
    assert_eq!(late.status, 503, "{late:?}");
    assert!(late.body.contains("H12") && late.body.contains("ambo logs -a APP"), "{late:?}");
    assert!(router_line(&ann, "odd", "/never").contains("code=H12"));
    let silent = page("/hangup");
    assert!(silent.status == 503 && silent.body.contains("H13"), "{silent:?}");

    for (path, words) in [("/half", "half of it"), ("/die", "last words")] {
        let mut reader = Wire::open(&platform);
        reader.send(format!("GET {path} HTTP/1.1\r\nHost: odd.localhost\r\n\r\n"));
        assert_eq!(reader.head().expect("an answer").status, 200);
        assert_eq!(reader.rest(), words, "the connection ends: the answer is not complete");
        let line = router_line(&ann, "odd", path);
        assert!(line.contains("code=H18") && line.contains("dyno=web.1"), "{line}");
    }
    wait_until("the app is back", || (page("/back").status == 200).then_some(()));

    let unknown = platform.host_get("nobody.localhost", "/");
    assert!(unknown.status == 404 && unknown.body.contains("No app here"), "{unknown:?}");
    ann.ambo(&["scale", "web=0", "-a", "odd"]).ok();
    // Until the routes follow, it has just crashed.
    let empty = wait_until("no instance", || Some(page("/")).filter(|page| page.body.contains("H14")));
    assert!(empty.status == 503 && empty.body.contains("ambo scale web=1"), "{empty:?}");
    assert_eq!(page("/empty").status, 503);
    assert!(router_line(&ann, "odd", "/empty").contains("code=H14"));
    let json = get_with(&platform.app_url("odd", "/"), &["-H", "Accept: application/json"]);
    assert!(json.body.contains("\"id\":\"no_web_processes\""), "{json:?}");
}
