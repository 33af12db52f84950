//! Config and its files.

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{World, release, write};

fn with_config(config: serde_json::Value) -> World {
    let world = World::logged_in();
    world.fake.on("GET /apps/shop/config-vars", 200, config.clone());
    world.fake.on("PATCH /apps/shop/config-vars", 200, config);
    world.fake.on("GET /apps/shop/releases", 200, json!([release(5, "succeeded", true)]));
    world
}

#[test]
fn one_value_is_printed_alone() {
    let world = with_config(json!({"A": "1", "TEXT": "line\nü"}));
    assert_snapshot!(world.run("config -a shop"), @r"
    exit: 0
    --- stdout
    KEY   VALUE
    A     1
    TEXT  line\nü
    ");
    assert_snapshot!(world.run("config:get TEXT -a shop"), @r"
    exit: 0
    --- stdout
    line
    ü
    ");
    assert_snapshot!(world.run("config:get NOPE -a shop"), @r"
    exit: 0
    --- stdout
    ");
    assert_snapshot!(world.run("config --json -a shop"), @r#"
    exit: 0
    --- stdout
    {
      "A": "1",
      "TEXT": "line\nü"
    }
    "#);
}

#[test]
fn setting_makes_a_release_and_shows_no_values() {
    let world = with_config(json!({"A": "1"}));
    let seen = world.run("config:set A=s3cret B=x=y -a shop");
    assert_snapshot!(seen, @r"
    exit: 0
    --- stderr
    Setting A, B on shop...
    Done; released v5
    ");
    assert_eq!(world.fake.asked_once("PATCH /apps/shop/config-vars").json(), json!({"A": "s3cret", "B": "x=y"}));
}

#[test]
fn a_change_whose_release_fails_is_a_failure() {
    let world = World::logged_in();
    world.fake.on("PATCH /apps/shop/config-vars", 200, json!({"A": "1"}));
    world.fake.on("GET /apps/shop/releases", 200, json!([release(5, "pending", false)]));
    world.fake.on("GET /apps/shop/releases/5", 200, release(5, "pending", false));
    let mut failed = release(5, "failed", false);
    failed["message"] = json!("web.1 exited with 1");
    world.fake.on("GET /apps/shop/releases/5", 200, failed);
    assert_snapshot!(world.run("config:set A=1 -a shop"), @r"
    exit: 1
    --- stderr
    Setting A on shop...
    error: release v5 failed: web.1 exited with 1
    hint: the release before it still serves; `ambo logs -a shop` may say more
    ");
}

#[test]
fn unsetting_what_is_not_there_changes_nothing() {
    let world = with_config(json!({"A": "1"}));
    assert_snapshot!(world.run("config:unset A NOPE -a shop"), @r"
    exit: 4
    --- stderr
    error: shop has no variable `NOPE`: nothing was unset
    ");
    assert_eq!(world.fake.asked("PATCH /apps/shop/config-vars").len(), 0);
    assert!(world.run("config:unset A -a shop").starts_with("exit: 0"));
    assert_eq!(world.fake.asked_once("PATCH /apps/shop/config-vars").json(), json!({"A": null}));
}

#[test]
fn what_is_pulled_can_be_pushed() {
    let config = json!({"KEY": "-----BEGIN\nab \"c\" $d\n-----END\n", "PLAIN": "1", "UNI": "größe 🚀"});
    let world = with_config(config.clone());
    assert_snapshot!(world.run("config:pull -a shop"), @r"
    exit: 0
    --- stderr
    Wrote 3 variables of shop into .env
    ");
    use std::os::unix::fs::PermissionsExt as _;
    let path = world.work().join(".env");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
    KEY="-----BEGIN\nab \"c\" \$d\n-----END\n"
    PLAIN=1
    UNI="größe 🚀"
    "#);
    assert_snapshot!(world.run("config:pull -a shop"), @r"
    exit: 2
    --- stderr
    error: `.env` exists already
    hint: replace it with --overwrite
    ");
    assert!(world.run("config:pull -a shop --overwrite").starts_with("exit: 0"));
    assert_snapshot!(world.run("config:push -a shop"), @r"
    exit: 0
    --- stderr
    shop has all variables of .env already
    ");

    let empty = World::logged_in();
    empty.fake.on("GET /apps/shop/config-vars", 200, json!({}));
    empty.fake.on("PATCH /apps/shop/config-vars", 200, config.clone());
    empty.fake.on("GET /apps/shop/releases", 200, json!([release(5, "succeeded", true)]));
    std::fs::copy(path, empty.work().join(".env")).unwrap();
    assert!(empty.run("config:push -a shop").starts_with("exit: 0"));
    assert_eq!(empty.fake.asked_once("PATCH /apps/shop/config-vars").json(), config);
}

#[test]
fn a_file_that_makes_no_sense_changes_nothing() {
    let world = with_config(json!({}));
    write(&world.work(), ".env", "A=1\nwhat is this\n");
    assert_snapshot!(world.run("config:push -a shop"), @r"
    exit: 2
    --- stderr
    error: .env: line 2: write it as `KEY=value`
    ");
    assert_eq!(world.fake.asked_count(), 0);
}

#[test]
fn editing_sets_and_unsets() {
    let world = with_config(json!({"A": "1", "B": "2"}));
    write(&world.work(), "editor", "#!/bin/sh\nprintf 'A=9\\nC=\"x y\"\\n' > \"$1\"\n");
    use std::os::unix::fs::PermissionsExt as _;
    let editor = world.work().join("editor");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = world.command("config:edit -a shop").env("EDITOR", &editor).output().unwrap();
    assert_snapshot!(world.seen(&output), @r"
    exit: 0
    --- stderr
      change A
      unset B
      add C
    Setting A, C and unsetting B on shop...
    Done; released v5
    ");
    assert_eq!(world.fake.asked_once("PATCH /apps/shop/config-vars").json(), json!({"A": "9", "B": null, "C": "x y"}));
    let output = world.command("config:edit -a shop").env("EDITOR", "true").output().unwrap();
    assert_snapshot!(world.seen(&output), @r"
    exit: 0
    --- stderr
    Nothing changed
    ");
    let output = world.command("config:edit -a shop").env("EDITOR", "false").output().unwrap();
    assert_snapshot!(world.seen(&output), @r"
    exit: 1
    --- stderr
    error: `false` ended with exit status: 1: nothing was applied
    ");
}
