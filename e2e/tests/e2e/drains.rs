//! Drains: an app's lines reach real receivers, and a dead one harms nobody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ambo_e2e::{DEADLINE, Platform, Source, wait_until};

/// Lets drains reach this machine, where the test listens.
const HERE: &[(&str, &str)] = &[("AMBO_REGISTRATION", "open"), ("AMBO_DRAINS_TO_THIS_MACHINE", "true")];

/// A syslog receiver: gives every message.
fn syslog() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("syslog://{}", listener.local_addr().expect("bound"));
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(stream);
            while let Some(message) = message(&mut stream) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        }
    });
    (url, receiver)
}

fn message(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut count = Vec::new();
    stream.read_until(b' ', &mut count).ok()?;
    let mut bytes = vec![0; std::str::from_utf8(&count).ok()?.trim().parse().ok()?];
    stream.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// A receiver of HTTPS drains, without the S: gives every request's head and body.
fn logplex() -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://ann:s3cret@{}/logs", listener.local_addr().expect("bound"));
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(stream);
            while let Some(request) = request(&mut stream) {
                if sender.send(request).is_err() {
                    return;
                }
            }
        }
    });
    (url, receiver)
}

fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    stream.get_mut().write_all(b"HTTP/1.1 204 Taken\r\n\r\n").ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

/// What a receiver gets until something is as wanted.
fn until<T>(what: &str, receiver: &Receiver<T>, mut wanted: impl FnMut(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let left = DEADLINE.saturating_sub(begun.elapsed());
        let got = receiver.recv_timeout(left).unwrap_or_else(|_| panic!("{what}: not received in time"));
        if wanted(&got) {
            return got;
        }
    }
}

#[test]
fn an_apps_lines_reach_a_syslog_and_an_http_receiver_and_go_on_after_a_restart() {
    let platform = Platform::start_with(HERE);
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    let ((syslog_url, syslog), (http_url, http)) = (syslog(), logplex());
    ann.ambo(&["drains:add", &syslog_url, "-a", "shop"]).ok();
    ann.ambo(&["drains", "add", &http_url, "-a", "shop"]).ok();
    ann.ambo(&["drains:add", &http_url, "-a", "shop"]).failed(2).says("goes there already");
    let drains = ann.ambo_json(&["drains", "-a", "shop"]);
    let token = |at: usize| drains[at]["token"].as_str().expect("a token").to_owned();
    source.push().ok();

    let said = until("what the app says", &syslog, |message| message.contains(" app web.1 - - listening on "));
    assert!(said.starts_with("<190>1 20") && said.contains(&token(0)), "{said}");
    let (head, body) = until("what the app says", &http, |(_, body)| body.contains(" app web.1 - listening on "));
    assert!(head.contains("content-type: application/logplex-1\r\n") && head.contains("authorization: basic "));
    assert!(head.contains(&format!("logplex-drain-token: {}\r\n", token(1))), "{head}");
    let count = head.lines().find_map(|line| line.strip_prefix("logplex-msg-count: ")).expect("a count");
    assert_eq!(count.trim(), body.lines().count().to_string());
    assert_eq!(platform.app_get("shop", "/seen").status, 200);
    until("the router's line", &syslog, |message| {
        message.starts_with("<158>1 ") && message.contains(" heroku router - - ") && message.contains("path=\"/seen\"")
    });

    platform.terminate();
    platform.launch();
    wait_until("it serves again", || (platform.app_get("shop", "/again").status == 200).then_some(()));
    until("a line after the restart", &syslog, |message| message.contains("path=\"/again\""));
    until("a line after the restart", &http, |(_, body)| body.contains("path=\"/again\""));

    ann.ambo(&["drains:remove", &http_url, "-a", "shop"]).ok();
    ann.ambo(&["drains:remove", &token(0), "-a", "shop"]).ok();
    ann.ambo(&["drains:remove", &token(0), "-a", "shop"]).failed(4);
    ann.ambo(&["drains", "-a", "shop"]).ok();
}

#[test]
fn a_dead_drain_is_told_of_and_slows_nobody() {
    let platform = Platform::start_with(HERE);
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    let server = std::fs::read_to_string(source.path().join("server.py")).expect("the server");
    let chatty = "if self.path == \"/talk\":\n            for n in range(5000): print(\"word\", n, flush=False)\n            \
                  sys.stdout.flush()\n        if self.path == \"/slow\":";
    source.write("server.py", &server.replace("if self.path == \"/slow\":", chatty));
    source.commit("Talk");
    source.create_app("shop");
    // Accepts and never reads: the worst receiver.
    let stuck = TcpListener::bind("127.0.0.1:0").expect("a port");
    let stuck_url = format!("http://{}/", stuck.local_addr().expect("bound"));
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    ann.ambo(&["drains:add", &stuck_url, "-a", "shop"]).ok();
    ann.ambo(&["drains:add", &format!("syslog://{dead}"), "-a", "shop"]).ok();
    ann.ambo(&["drains:add", "http://169.254.169.254/latest", "-a", "shop"]).failed(2).says("credentials");
    source.push().ok();
    let begun = Instant::now();
    assert_eq!(platform.app_get("shop", "/talk").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
    wait_until("the overflow is told", || {
        let logs = ann.ambo(&["logs", "-n", "1500", "--source", "ambo", "-a", "shop"]).stdout;
        let overflow = logs.contains("Error L10 (output buffer overflow): drain 'd.");
        (overflow && logs.contains("takes no lines: ")).then_some(())
    });
    wait_until("the app's own log has it all", || {
        ann.ambo(&["logs", "-n", "1500", "-a", "shop"]).ok().stdout.contains("word 4999").then_some(())
    });
    assert_eq!(platform.app_get("shop", "/").body, "hi");
}
