//! Repositories, remotes and git's credentials.

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{TOKEN, World, app};

fn with_repository() -> World {
    let world = World::logged_in();
    assert!(world.git("init -q -b main").starts_with("exit: 0"));
    world.fake.on("POST /apps", 201, app("shop"));
    world.fake.on("GET /apps/shop", 200, app("shop"));
    world
}

#[test]
fn creating_an_app_makes_a_remote_with_credentials() {
    let world = with_repository();
    assert_snapshot!(world.run("create shop"), @r"
    exit: 0
    --- stdout
    http://shop.localhost:7000 | [HOST]/shop.git
    --- stderr
    Created shop
    Added the git remote `ambo`: deploy with `git push ambo main`
    ");
    assert_eq!(world.fake.asked_once("POST /apps").json(), json!({"name": "shop"}));
    assert_snapshot!(world.git("remote -v"), @r"
    exit: 0
    --- stdout
    ambo	[HOST]/shop.git (fetch)
    ambo	[HOST]/shop.git (push)
    ");
    let helpers = world.git(&format!("config --local --get-all credential.{}.helper", world.fake.host));
    let program = env!("CARGO_BIN_EXE_ambo");
    assert_eq!(helpers, format!("exit: 0\n--- stdout\n\n!'{program}' git-credential\n"));
    assert_snapshot!(world.run("maintenance"), @r"
    exit: 0
    --- stdout
    off
    ");
}

#[test]
fn git_gets_the_token_for_its_own_server_only() {
    let world = with_repository();
    world.run("create shop");
    let authority = world.fake.host.strip_prefix("http://").unwrap();
    let asked =
        |host: &str| world.run_with_input("git-credential get", format!("protocol=http\nhost={host}\n\n").as_bytes());
    assert_eq!(asked(authority), format!("exit: 0\n--- stdout\nusername=ana@example.com\npassword={TOKEN}\n"));
    assert_eq!(asked("127.0.0.1:1"), "exit: 0\n");
    assert_eq!(asked("github.com"), "exit: 0\n");
    assert_eq!(world.run_with_input("git-credential store", b"protocol=http\n\n"), "exit: 0\n");
    assert_eq!(world.run_with_input("git-credential erase", b"protocol=http\n\n"), "exit: 0\n");
}

#[test]
fn git_itself_finds_the_helper() {
    let world = with_repository();
    world.run("create shop");
    let body = b"no repository".to_vec();
    world.fake.on_raw("GET /shop.git/info/refs", 401, &[("www-authenticate", "Basic realm=\"Ambo\"")], body.clone());
    world.fake.on_raw("GET /shop.git/info/refs", 404, &[], body);
    world.git("ls-remote ambo");
    let asked = world.fake.asked("GET /shop.git/info/refs");
    assert_eq!(asked[0].header("authorization"), "");
    assert!(asked[1].header("authorization").starts_with("Basic "), "git came back with the token");
}

#[test]
fn an_existing_remote_is_left_alone() {
    let world = with_repository();
    world.git("remote add ambo http://127.0.0.1:1/other.git");
    assert_snapshot!(world.run("create shop"), @r"
    exit: 0
    --- stdout
    http://shop.localhost:7000 | [HOST]/shop.git
    --- stderr
    Created shop
    warning: this repository has a git remote `ambo` already, so none was added
    hint: point it at the new app with `ambo git:remote -a shop -r ambo`
    ");
    assert_snapshot!(world.run("git:remote -a shop"), @r"
    exit: 0
    --- stderr
    The git remote `ambo` leads to [HOST]/shop.git
    ");
    assert_snapshot!(world.git("remote -v"), @r"
    exit: 0
    --- stdout
    ambo	[HOST]/shop.git (fetch)
    ambo	[HOST]/shop.git (push)
    ");
}

#[test]
fn several_apps_must_be_told_apart() {
    let world = with_repository();
    let host = world.fake.host.clone();
    world.git(&format!("remote add staging {host}/shop.git"));
    world.git(&format!("remote add production {host}/shop-live.git"));
    world.git("remote add origin https://example.com/owner/shop.git");
    assert_snapshot!(world.run("maintenance"), @r"
    exit: 2
    --- stderr
    error: which app? The git remotes here lead to several: shop (remote `staging`), shop-live (remote `production`)
    hint: name it with `-a NAME`, or its remote with `-r REMOTE`
    ");
    assert_snapshot!(world.run("maintenance -r staging"), @r"
    exit: 0
    --- stdout
    off
    ");
    assert_snapshot!(world.run("maintenance -r origin"), @r"
    exit: 2
    --- stderr
    error: the git remote `origin` leads to no app of a server that you are logged in to
    hint: `git remote -v` lists this repository's remotes
    ");
}

#[test]
fn remotes_follow_a_rename_and_go_with_the_app() {
    let world = with_repository();
    world.run("create shop");
    world.fake.on("PATCH /apps/shop", 200, app("store"));
    assert_snapshot!(world.run("rename store"), @r"
    exit: 0
    --- stdout
    http://store.localhost:7000
    --- stderr
    Renamed shop to store
    The git remote `ambo` follows
    ");
    world.fake.on("DELETE /apps/store", 200, app("store"));
    assert_snapshot!(world.run("destroy -y"), @r"
    exit: 0
    --- stderr
    Destroyed store
    Removed the git remote `ambo`
    ");
    assert_eq!(world.git("remote"), "exit: 0\n");
}

#[test]
fn an_app_is_created_outside_a_repository_too() {
    let world = World::logged_in();
    world.fake.on("POST /apps", 201, app("calm-river-1234"));
    assert_snapshot!(world.run("create"), @r"
    exit: 0
    --- stdout
    http://calm-river-1234.localhost:7000 | [HOST]/calm-river-1234.git
    --- stderr
    Created calm-river-1234
    ");
    assert_eq!(world.fake.asked_once("POST /apps").json(), json!({}));
    assert_snapshot!(world.run("git:remote -a shop"), @r"
    exit: 2
    --- stderr
    error: there is no git repository here
    hint: make one with `git init`, or go to where yours is
    ");
}
