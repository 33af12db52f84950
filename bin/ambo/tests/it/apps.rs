//! Apps, who may work on them, domains, maintenance.

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{World, app, formation, refusal};

#[test]
fn an_app_is_described() {
    let world = World::logged_in();
    world.fake.on("GET /apps/shop", 200, app("shop"));
    world.fake.on("GET /apps/shop/formation", 200, json!([formation("web", 2)]));
    world.fake.on("GET /apps/shop/domains", 200, json!([]));
    world.fake.on("GET /apps/shop/collaborators", 200, json!([]));
    assert_snapshot!(world.run("info shop"), @r"
    exit: 0
    --- stdout
    Name:           shop
    Owner:          ana@example.com
    Collaborators:  none
    URL:            http://shop.localhost:7000
    Git:            [HOST]/shop.git
    Domains:        none
    Processes:      web=2
    Maintenance:    off
    Created:        2026-01-01
    Released:       2026-01-01
    ");
    let seen = world.run("apps:info -a shop --json");
    let json: serde_json::Value = serde_json::from_str(seen.split_once("--- stdout\n").unwrap().1).unwrap();
    assert_eq!((&json["name"], &json["formation"][0]["quantity"]), (&json!("shop"), &json!(2)));
}

#[test]
fn the_app_comes_from_option_or_environment() {
    let world = World::logged_in();
    world.fake.on("GET /apps/shop", 200, app("shop"));
    let output = world.command("maintenance").env("AMBO_APP", "shop").output().unwrap();
    assert_snapshot!(world.seen(&output), @r"
    exit: 0
    --- stdout
    off
    ");
    assert_snapshot!(world.run("maintenance"), @r"
    exit: 2
    --- stderr
    error: which app? No git remote here leads to one
    hint: name it with `-a NAME`, or point this repository at it: `ambo git:remote -a NAME`
    ");
}

#[test]
fn destroying_asks_for_the_name() {
    let world = World::logged_in();
    world.fake.on("DELETE /apps/shop", 200, app("shop"));
    assert_snapshot!(world.run("destroy shop"), @r"
    exit: 2
    --- stderr
    error: destroying shop cannot be undone, and there is no terminal to ask
    hint: confirm with `--confirm shop`
    ");
    assert_snapshot!(world.run("destroy shop --confirm shpo"), @r"
    exit: 2
    --- stderr
    error: `shpo` is not the app's name, which is `shop`: nothing was destroyed
    ");
    assert_eq!(world.fake.asked_count(), 0);
    assert_snapshot!(world.run("apps:destroy -a shop --confirm shop"), @r"
    exit: 0
    --- stderr
    Destroyed shop
    ");
    assert_eq!(world.fake.asked("DELETE /apps/shop").len(), 1);
}

#[test]
fn a_name_that_is_taken_is_a_conflict() {
    let world = World::logged_in();
    world.fake.on("POST /apps", 409, refusal("conflict", "the name `shop` is taken"));
    assert_snapshot!(world.run("create shop"), @r"
    exit: 5
    --- stderr
    error: the name `shop` is taken
    ");
}

#[test]
fn maintenance_is_switched() {
    let world = World::logged_in();
    let mut on = app("shop");
    on["maintenance"] = json!(true);
    world.fake.on("PATCH /apps/shop", 200, on);
    assert_snapshot!(world.run("maintenance:on -a shop"), @r"
    exit: 0
    --- stderr
    Maintenance of shop is on
    ");
    assert_eq!(world.fake.asked_once("PATCH /apps/shop").json(), json!({"maintenance": true}));
}

#[test]
fn people_are_let_in_by_either_platforms_words() {
    let world = World::logged_in();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let person = json!({
        "id": id, "app": {"id": id, "name": "shop"}, "role": "collaborator", "user": {"id": id, "email": "bo@example.com"},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
    });
    world.fake.on("POST /apps/shop/collaborators", 201, person.clone());
    world.fake.on("GET /apps/shop/collaborators", 200, json!([person]));
    for line in ["access add bo@example.com", "perms:create bo@example.com", "sharing add bo@example.com"] {
        assert_eq!(
            world.run(&format!("{line} -a shop")),
            "exit: 0\n--- stderr\nbo@example.com may work on shop now\n",
            "{line}"
        );
    }
    assert_snapshot!(world.run("access -a shop"), @r"
    exit: 0
    --- stdout
    WHO             ROLE          SINCE
    bo@example.com  collaborator  2026-01-01
    ");
}
