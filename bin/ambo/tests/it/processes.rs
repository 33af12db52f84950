//! Instances, scaling, releases, limits, health checks.

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{World, dyno, formation, refusal, release};

#[test]
fn instances_are_listed_for_people_and_programs() {
    let world = World::logged_in();
    world.fake.on("GET /apps/shop/dynos", 200, json!([dyno("worker.1", "crashed"), dyno("web.1", "up")]));
    assert_snapshot!(world.run("ps -a shop"), @r"
    exit: 0
    --- stdout
    NAME      STATE    RELEASE  NODE  STARTED     COMMAND
    web.1     up       v7       one   2026-01-01  bin/serve
    worker.1  crashed  v7       one   2026-01-01  bin/serve
    ");
    assert_snapshot!(world.run("ps -a shop --json"), @r#"
    exit: 0
    --- stdout
    [
      {
        "name": "web.1",
        "type": "web",
        "state": "up",
        "node": "one",
        "release": 7,
        "command": "bin/serve",
        "started_at": "2026-01-01T00:00:00Z",
        "restarts": null
      },
      {
        "name": "worker.1",
        "type": "worker",
        "state": "crashed",
        "node": "one",
        "release": 7,
        "command": "bin/serve",
        "started_at": "2026-01-01T00:00:00Z",
        "restarts": null
      }
    ]
    "#);
}

#[test]
fn scaling_sends_what_was_typed() {
    let world = World::logged_in();
    world.fake.on("PATCH /apps/shop/formation", 200, json!([formation("web", 3), formation("worker", 1)]));
    assert_snapshot!(world.run("scale web=3 worker-1 -a shop"), @r"
    exit: 0
    --- stderr
    Scaling shop...
    Scaled shop: web=3, worker=1
    ");
    let sent = world.fake.asked_once("PATCH /apps/shop/formation").json();
    assert_eq!(sent, json!({"updates": [{"type": "web", "quantity": 3}, {"type": "worker", "quantity": "-1"}]}));
    world.fake.on("GET /apps/shop/formation", 200, json!([formation("web", 3)]));
    assert_snapshot!(world.run("ps:scale -a shop"), @r"
    exit: 0
    --- stdout
    PROCESS  COUNT  SIZE
    web      3      unlimited
    ");
    assert_snapshot!(world.run("scale web=3x -a shop"), @r"
    exit: 2
    --- stderr
    error: invalid value 'web=3x' for '[PROCESS=COUNT]...': write it as `web=3`, `web+1` or `web-1`

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_process_is_refused_by_the_server() {
    let world = World::logged_in();
    let message = "the app has no process `wbe`; it has `web`";
    world.fake.on("PATCH /apps/shop/formation", 422, refusal("invalid_params", message));
    assert_snapshot!(world.run("scale wbe=1 -a shop"), @r"
    exit: 2
    --- stderr
    Scaling shop...
    error: the app has no process `wbe`; it has `web`
    ");
}

#[test]
fn restarting_and_stopping_reach_what_is_named() {
    let world = World::logged_in();
    for path in ["DELETE /apps/shop/dynos", "DELETE /apps/shop/dynos/web.1", "DELETE /apps/shop/formations/web"] {
        world.fake.on(path, 202, json!({}));
    }
    world.fake.on("POST /apps/shop/dynos/run.4/actions/stop", 202, json!({}));
    assert!(world.run("restart -a shop").starts_with("exit: 0"));
    assert!(world.run("restart web.1 -a shop").starts_with("exit: 0"));
    assert!(world.run("ps:restart web -a shop").starts_with("exit: 0"));
    assert_snapshot!(world.run("kill run.4 -a shop"), @r"
    exit: 0
    --- stderr
    Stopped run.4
    ");
    assert_eq!(world.fake.asked_count(), 4);
}

#[test]
fn a_rollback_goes_to_the_last_good_release() {
    let world = World::logged_in();
    let releases = json!([release(7, "succeeded", true), release(6, "failed", false), release(5, "succeeded", false)]);
    world.fake.on("GET /apps/shop/releases", 200, releases);
    world.fake.on("POST /apps/shop/releases", 201, release(8, "pending", false));
    world.fake.on("GET /apps/shop/releases/8", 200, release(8, "succeeded", true));
    assert_snapshot!(world.run("releases -a shop"), @r"
    exit: 0
    --- stdout
    RELEASE  STATUS     WHAT      WHO              WHEN
    v7       current    Deploy 7  ana@example.com  2026-01-01
    v6       failed     Deploy 6  ana@example.com  2026-01-01
    v5       succeeded  Deploy 5  ana@example.com  2026-01-01
    ");
    assert_eq!(world.fake.asked("GET /apps/shop/releases")[0].header("range"), "version ..; order=desc, max=15");
    assert_snapshot!(world.run("rollback -a shop"), @r"
    exit: 0
    --- stderr
    Rolling shop back to v5...
    Rolled back to v5; released v8
    ");
    assert_eq!(world.fake.asked_once("POST /apps/shop/releases").json(), json!({"release": "5"}));
    assert_snapshot!(world.run("rollback v0 -a shop"), @r"
    exit: 2
    --- stderr
    error: invalid value 'v0' for '[RELEASE]': write a release as in `v7`

    For more information, try '--help'.
    ");
}

#[test]
fn a_release_is_described_with_its_config() {
    let world = World::logged_in();
    world.fake.on("GET /apps/shop/releases/7", 200, release(7, "succeeded", true));
    world.fake.on("GET /apps/shop/releases/7/config-vars", 200, json!({"A": "1", "B": "two words"}));
    assert_snapshot!(world.run("releases:info v7 -a shop"), @r"
    exit: 0
    --- stdout
    Release:  v7
    Status:   current
    What:     Deploy 7
    Who:      ana@example.com
    When:     2026-01-01
    Config:   A, B
    ");
    assert_snapshot!(world.run("releases:info 7 --shell -a shop"), @r#"
    exit: 0
    --- stdout
    A=1
    B="two words"
    "#);
}

#[test]
fn limits_tags_and_health_checks_are_set() {
    let world = World::logged_in();
    world.fake.on("PATCH /ambo/apps/shop/limits", 200, json!({"web": {"memory": "512M", "cpu": null}}));
    assert_snapshot!(world.run("limits:set web=512M -a shop"), @r"
    exit: 0
    --- stdout
    PROCESS  MEMORY  CPU
    web      512M    unlimited
    --- stderr
    Changing the limits of shop...
    ");
    assert_eq!(world.fake.asked_once("PATCH /ambo/apps/shop/limits").json(), json!({"web": {"memory": "512M"}}));
    assert_snapshot!(world.run("limits:set web -a shop"), @r"
    exit: 2
    --- stderr
    error: which limit for `web`?
    hint: as in `ambo limits:set web --memory 512M --cpu 0.5`
    ");
    world.fake.on("PATCH /ambo/apps/shop/tags", 200, json!({"web": {"disk": "ssd", "region": "eu"}, "worker": {}}));
    assert_snapshot!(world.run("tags:set web region=eu -a shop"), @r"
    exit: 0
    --- stdout
    PROCESS  TAGS
    web      disk=ssd region=eu
    worker   any node
    --- stderr
    Changing the tags of shop...
    ");
    assert_eq!(world.fake.asked_once("PATCH /ambo/apps/shop/tags").json(), json!({"web": {"region": "eu"}}));
    assert_snapshot!(world.run("tags:set web region -a shop"), @r"
    exit: 2
    --- stderr
    error: `region` has no value
    hint: as in `ambo tags:set web region=eu`
    ");
    let check =
        json!({"web": {"type": "http", "path": "/up", "interval": 5, "timeout": 5, "failures": 3, "start": 60}});
    world.fake.on("PATCH /ambo/apps/shop/healthchecks", 200, check);
    assert_snapshot!(world.run("healthchecks:set web http --path /up -a shop"), @r"
    exit: 0
    --- stdout
    PROCESS  CHECK     INTERVAL  TIMEOUT  FAILURES  START
    web      http /up  5s        5s       3         60s
    ");
    let sent = world.fake.asked_once("PATCH /ambo/apps/shop/healthchecks").json();
    assert_eq!(sent, json!({"web": {"type": "http", "path": "/up"}}));
    assert_snapshot!(world.run("healthchecks:set web tcp --path /up -a shop"), @r"
    exit: 2
    --- stderr
    error: --path is for `http` checks
    ");
}
