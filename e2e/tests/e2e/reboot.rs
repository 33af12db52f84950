//! The machine loses its power and comes back, or its engine alone restarts: every app serves again as it was.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ambo_e2e::{OwnEngine, Platform, Source, User, get_with, wait_until};
use rustix::process::Signal;

/// How long the engine stays away from an `ambod` that is up before it.
const ENGINE_LATE: Duration = Duration::from_secs(5);
/// What shall run: app, process, count.
const FORMATION: [(&str, &str, usize); 3] = [("shop", "web", 2), ("shop", "worker", 1), ("blog", "web", 1)];

#[test]
fn a_machine_that_lost_its_power_serves_every_app_again() {
    let engine = engine_with_base();
    let platform = platform_on(&engine);
    let ann = platform.user("ann");
    let said = deploy(&ann);
    let token = ann.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let releases = releases(&ann);

    cut_power(&engine, &platform);
    engine.launch();
    platform.launch();
    assert_as_before(&engine, &ann, &releases, &said);

    cut_power(&engine, &platform);
    platform.launch();
    let since = Instant::now();
    let mut asked = 0;
    while since.elapsed() < ENGINE_LATE || asked == 0 {
        assert_engine_missed(&platform, &token);
        asked += 1;
    }
    assert_eq!(
        ann.ambo(&["config:get", "GREETING", "-a", "shop"]).ok().stdout.trim(),
        "grüß\nGott",
        "state needs no engine"
    );
    engine.launch();
    assert_as_before(&engine, &ann, &releases, &said);
    ann.ambo(&["config:set", "NEW=1", "-a", "shop"]).ok();
    wait_until("a new release comes up", || platform.app_get("shop", "/env").body.contains("NEW=1").then_some(()));
}

#[test]
fn an_engine_that_restarts_brings_every_app_back_under_a_running_ambod() {
    let engine = engine_with_base();
    let platform = platform_on(&engine);
    let ann = platform.user("ann");
    let said = deploy(&ann);
    let token = ann.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let (releases, pid) = (releases(&ann), platform.pid());
    engine.terminate();
    assert_engine_missed(&platform, &token);
    engine.launch();
    assert_as_before(&engine, &ann, &releases, &said);
    platform.assert_alive();
    assert_eq!(platform.serving_pid(), Some(pid), "ambod was not restarted");
}

fn engine_with_base() -> OwnEngine {
    let engine = OwnEngine::start();
    engine.load("python:3.11-slim-bookworm");
    engine
}

fn platform_on(engine: &OwnEngine) -> Platform {
    let data = engine.path("ambo-data").display().to_string();
    Platform::start_with(&[("AMBO_REGISTRATION", "open"), ("AMBO_ENGINE", &engine.address()), ("AMBO_DATA", &data)])
}

/// Brings the formation up; gives a line that is in the log.
fn deploy(ann: &User<'_>) -> String {
    let shop = Source::web(ann, "shop", "shop");
    shop.write(
        "Procfile",
        "web: python3 -u /server.py\nworker: python3 -u -c 'import time; print(\"at work\"); time.sleep(1e6)'\n",
    );
    shop.commit("A worker");
    shop.create_app("shop");
    shop.ambo(&["config:set", "GREETING=grüß\nGott"]).ok();
    shop.push().ok();
    shop.ambo(&["ps:scale", "web=2", "worker=1"]).ok();
    let blog = Source::web(ann, "blog", "blog");
    blog.create_app("blog");
    blog.push().ok();
    for (app, process, count) in FORMATION {
        ann.wait_for_instances(app, process, count);
    }
    wait_until("the worker's line is in the log", || {
        let logs = ann.ambo(&["logs", "-n", "500", "-a", "shop"]).ok().stdout;
        logs.lines().find(|line| line.contains("at work")).map(str::to_owned)
    })
}

/// What serves, and what was ever released.
fn releases(ann: &User<'_>) -> Vec<serde_json::Value> {
    ["shop", "blog"].map(|app| ann.ambo_json(&["releases", "-a", app])).into()
}

/// All at once: neither has time to say anything.
fn cut_power(engine: &OwnEngine, platform: &Platform) {
    platform.signal(Signal::KILL);
    engine.cut_power();
    platform.kill();
}

fn assert_engine_missed(platform: &Platform, token: &str) {
    let authorization = format!("Authorization: Bearer {token}");
    let answer = get_with(
        &format!("{}/apps/shop/dynos", platform.api()),
        &["-H", &authorization, "-H", "Accept: application/vnd.heroku+json; version=3"],
    );
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains("\"engine_unavailable\""), "{answer:?}");
}

/// Every app answers at its full count, of the same release and no more, with its config and its log.
fn assert_as_before(engine: &OwnEngine, ann: &User<'_>, releases: &[serde_json::Value], said: &str) {
    for (app, process, count) in FORMATION {
        ann.wait_for_instances(app, process, count);
        if process == "web" {
            wait_until(&format!("{app} answers"), || (ann.platform.app_get(app, "/").body == app).then_some(()));
        }
    }
    assert_eq!(self::releases(ann), releases, "the same releases");
    let wanted: BTreeSet<String> = [("shop web", 1), ("shop web", 2), ("shop worker", 1), ("blog web", 1)]
        .map(|(process, index)| format!("{process} {index}"))
        .into();
    let listed = wait_until("exactly these containers are there, running or not", || {
        let listed = containers(engine, ann.platform);
        let processes: Vec<String> =
            listed.iter().map(|words| words.rsplit_once(' ').map_or("", |(process, _)| process).to_owned()).collect();
        let is_exact = processes.len() == wanted.len() && processes.into_iter().collect::<BTreeSet<_>>() == wanted;
        is_exact.then_some(listed)
    });
    for (app, releases) in ["shop", "blog"].into_iter().zip(releases) {
        let current = releases.as_array().into_iter().flatten().find(|release| release["current"] == true);
        let version = current.and_then(|release| release["version"].as_u64()).expect("a current release");
        let of_app = listed.iter().filter(|words| words.starts_with(&format!("{app} ")));
        assert!(of_app.clone().all(|words| words.ends_with(&format!(" {version}"))), "v{version} of {app}: {listed:?}");
    }
    assert!(ann.platform.app_get("shop", "/env").body.contains("GREETING=grüß\nGott"), "the config");
    ann.ambo(&["logs", "-n", "500", "-a", "shop"]).ok().says(said);
}

/// `app process index release` of every container of the platform, whatever its state.
fn containers(engine: &OwnEngine, platform: &Platform) -> Vec<String> {
    let format = r#"{{.Label "ambo.app"}} {{.Label "ambo.process"}} {{.Label "ambo.index"}} {{.Label "ambo.release"}}"#;
    let filter = format!("label=ambo.platform={}", platform.id());
    let ran = engine.docker(&["ps", "-a", "--filter", &filter, "--format", format]).ok();
    ran.stdout.lines().map(str::to_owned).collect()
}
