//! What is measured, as a real Prometheus reads it.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use ambo_e2e::{Platform, Source, User, get, get_with, wait_until};
use serde_json::Value;

/// The page about metrics.
const DOCUMENTED: &str = include_str!("../../../docs/metrics.md");

/// A Prometheus of our own; ends with the test.
struct Prometheus {
    process: Child,
    port: u16,
}

impl Prometheus {
    /// Scrapes the platform every second, with a token.
    fn of(platform: &Platform, token: &str) -> Self {
        let directory = platform.path().join("prometheus");
        fs::create_dir_all(&directory).expect("a directory");
        let api = platform.api();
        let target = api.trim_start_matches("http://");
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: ambo\n    authorization:\n      \
             credentials: {token}\n    static_configs:\n      - targets: ['{target}']\n"
        );
        fs::write(directory.join("prometheus.yml"), config).expect("a file");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let process = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(&directory)
            .stderr(Stdio::from(fs::File::create(directory.join("log")).expect("a file")))
            .spawn()
            .expect("no `prometheus`: install it with `dev/packages.sh prometheus`");
        Self { process, port }
    }

    fn ask(&self, path: &str) -> Option<Value> {
        let answer = get(&format!("http://127.0.0.1:{}/api/v1/{path}", self.port));
        serde_json::from_str(&answer.body).ok()
    }

    /// The value of an expression that has one.
    fn value(&self, expression: &str) -> Option<f64> {
        let answer = self.ask(&format!("query?query={}", urlencoded(expression)))?;
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn token(user: &User<'_>, arguments: &[&str]) -> String {
    let arguments = [&["tokens", "create", "--description", "metrics"], arguments].concat();
    user.ambo(&arguments).ok().stdout.trim().to_owned()
}

/// What the page about metrics says that one may ask.
fn documented_expressions() -> Vec<String> {
    let asked = DOCUMENTED.split("## What to ask").nth(1).expect("the part about what to ask");
    let lines = asked.lines().filter(|line| line.contains("ambo") && line.contains("  "));
    let found: Vec<String> = lines.filter_map(|line| Some(line.split("  ").next()?.trim().to_owned())).collect();
    assert!(found.len() >= 8, "{found:?}");
    found
}

fn urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn prometheus_reads_requests_instances_and_the_machine_with_a_token_that_only_reads() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    let token = token(&ann, &["--read"]);
    let prometheus = Prometheus::of(&platform, &token);

    for _ in 0..5 {
        assert_eq!(platform.app_get("shop", "/").status, 200);
    }
    assert_eq!(platform.host_get("nowhere.localhost", "/").status, 404);
    let reached = |expression: &str, is_right: fn(f64) -> bool| {
        wait_until(expression, || prometheus.value(expression).filter(|value| is_right(*value)));
    };
    reached(r#"ambo_router_requests_total{app="shop",status="2xx"}"#, |count| count >= 5.0);
    reached(r#"ambo_router_requests_total{app="",status="4xx"}"#, |count| count == 1.0);
    reached(r#"ambo_router_request_duration_seconds_count{app="shop"}"#, |count| count >= 5.0);
    reached(r#"ambo_app_instances_wanted{app="shop",process="web"}"#, |count| count == 1.0);
    reached(r#"ambo_app_instances{app="shop",process="web",state="up"}"#, |count| count == 1.0);
    reached(r#"ambo_app_release{app="shop"}"#, |number| number >= 1.0);
    reached(r#"ambo_instance_cpu_seconds_total{app="shop",name="web.1"}"#, |seconds| seconds > 0.0);
    reached(r#"ambo_instance_memory_bytes{app="shop",name="web.1"}"#, |bytes| bytes > 1e6);
    reached("ambo_node_memory_available_bytes", |bytes| bytes > 1e6);
    reached(r#"ambo_node_cpu_seconds_total{mode="idle"}"#, |seconds| seconds > 0.0);
    let targets = prometheus.ask("targets").unwrap();
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!((&target["health"], &target["lastError"]), (&"up".into(), &"".into()), "{target}");

    for expression in documented_expressions() {
        let answer = prometheus.ask(&format!("query?query={}", urlencoded(&expression))).unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }

    ann.ambo(&["ps:scale", "web=0", "-a", "shop"]).ok();
    reached(r#"ambo_app_instances{app="shop",process="web",state="up"}"#, |count| count == 0.0);
    ann.ambo(&["destroy", "shop", "--confirm", "shop"]).ok();
    reached("ambo_apps", |count| count == 0.0);
}

#[test]
fn what_is_measured_is_documented_and_the_other_way_round() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let header = format!("authorization: Bearer {}", token(&ann, &["--read"]));
    let page = get_with(&format!("{}/metrics", platform.api()), &["-H", &header]);
    assert!(page.head.contains("application/openmetrics-text; version=1.0.0"), "{}", page.head);
    let measured: BTreeSet<&str> =
        page.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let table = DOCUMENTED.split("## What to ask").next().unwrap_or_default();
    let documented: BTreeSet<&str> = table
        .split('`')
        .filter(|word| word.starts_with("ambo_") && !word.contains(' '))
        .map(|name| name.strip_suffix("_total").unwrap_or(name))
        .collect();
    assert_eq!(measured, documented);
}

#[test]
fn whoever_may_see_an_app_sees_what_it_uses() {
    let platform = Platform::start();
    let (_ann, bob) = (platform.user("ann"), platform.user("bob"));
    let source = Source::web(&bob, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    assert_eq!(platform.app_get("shop", "/").status, 200);
    let measured = wait_until("the request is counted", || {
        let measured = bob.ambo_json(&["metrics", "-a", "shop"]);
        (measured["requests"]["statuses"]["2xx"] == 1).then_some(measured)
    });
    let instance = &measured["instances"][0];
    assert_eq!(instance["name"], "web.1");
    assert!(instance["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000), "{measured}");

    let shown = bob.ambo(&["metrics", "-a", "shop"]).ok().stdout;
    let line = shown.lines().find(|line| line.starts_with("web.1")).unwrap_or_default();
    assert!(line.contains(" % ") && line.contains("M of "), "{shown}");
    assert!(shown.contains("0.0/s"), "{shown}");
    let carl = platform.user("carl");
    carl.ambo(&["metrics", "-a", "shop"]).failed(4).says("Couldn't find that app");
}

#[test]
fn measurements_of_the_platform_are_for_administrators() {
    let platform = Platform::start();
    let (_ann, bob) = (platform.user("ann"), platform.user("bob"));
    assert_eq!(platform.api_get("/metrics").status, 401);
    let header = format!("authorization: Bearer {}", token(&bob, &[]));
    let refused = get_with(&format!("{}/metrics", platform.api()), &["-H", &header]);
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.body.contains("only an administrator may do this"), "{refused:?}");
}
