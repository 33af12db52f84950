//! Logs.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{World, refusal};

/// Serves a log's text.
pub(crate) fn serve(world: &World, text: &str) {
    world.fake.on("POST /apps/shop/log-sessions", 201, session(world));
    world.fake.on_raw("GET /logs/secret", 200, &[("content-type", "text/plain")], text.as_bytes().to_vec());
}

fn session(world: &World) -> serde_json::Value {
    json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057", "logplex_url": format!("{}/logs/secret", world.fake.host),
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
    })
}

fn line(second: u8, text: &str) -> String {
    format!("2026-01-01T00:00:{second:02}.000000+00:00 app[web.1]: {text}\n")
}

#[test]
fn the_past_is_printed() {
    let world = World::logged_in();
    serve(&world, &(line(1, "one") + &line(2, "two")));
    assert_snapshot!(world.run("logs -a shop -n 2 --ps web --source app"), @r"
    exit: 0
    --- stdout
    2026-01-01T00:00:01.000000+00:00 app[web.1]: one
    2026-01-01T00:00:02.000000+00:00 app[web.1]: two
    ");
    let asked = world.fake.asked_once("POST /apps/shop/log-sessions").json();
    assert_eq!(asked, json!({"lines": 2, "tail": false, "dyno": "web", "source": "app"}));
    assert_eq!(world.fake.asked_once("GET /logs/secret").header("authorization"), "", "the address is the secret");
    assert_snapshot!(world.run("logs -a shop --json"), @r#"
    exit: 0
    --- stdout
    {"at":"2026-01-01T00:00:01.000000+00:00","name":"web.1","source":"app","text":"one"}
    {"at":"2026-01-01T00:00:02.000000+00:00","name":"web.1","source":"app","text":"two"}
    "#);
}

#[test]
fn a_broken_stream_goes_on_without_repeating() {
    let world = World::logged_in();
    serve(&world, &(line(1, "one") + &line(2, "two")));
    serve(&world, &(line(2, "two") + &line(2, "too") + &line(3, "three")));
    world.fake.on("POST /apps/shop/log-sessions", 404, refusal("not_found", "shop is gone"));
    let seen = world.run("logs -a shop --tail");
    assert_snapshot!(seen, @r"
    exit: 4
    --- stdout
    2026-01-01T00:00:01.000000+00:00 app[web.1]: one
    2026-01-01T00:00:02.000000+00:00 app[web.1]: two
    2026-01-01T00:00:02.000000+00:00 app[web.1]: too
    2026-01-01T00:00:03.000000+00:00 app[web.1]: three
    --- stderr
    error: shop is gone
    ");
}

#[test]
fn ctrl_c_ends_a_log_quietly() {
    let world = World::logged_in();
    serve(&world, &line(1, "one"));
    let mut child = world.command("logs -a shop --tail").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(130), Vec::new()));
}
