//! Registering, logging in and out, passwords, tokens, keys.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{TOKEN, World, account, authorization, refusal, write};

#[test]
fn registering_logs_in() {
    let world = World::new();
    let host = world.fake.host.clone();
    let token = json!({"id": "01890a5d-ac96-774b-bcce-b302099a8057", "token": "fresh", "expires_in": null});
    world.fake.on("POST /ambo/accounts", 201, json!({"account": account(), "access_token": token}));
    world.fake.on("GET /account", 200, account());
    assert_snapshot!(world.run(&format!("register {host} --email ana@example.com --password hunter22")), @r"
    exit: 0
    --- stdout
    Registered as ana@example.com on [HOST] (administrator)
    ");
    let asked = world.fake.asked_once("POST /ambo/accounts");
    assert_eq!(asked.json(), json!({"email": "ana@example.com", "password": "hunter22"}));
    assert_eq!(asked.header("authorization"), "", "registration needs no token");

    let mode = std::fs::metadata(world.credentials()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_snapshot!(world.run("whoami"), @r"
    exit: 0
    --- stdout
    ana@example.com
    ");
    assert_eq!(world.fake.asked_once("GET /account").header("authorization"), "Bearer fresh");
}

#[test]
fn registration_without_a_terminal_says_what_is_missing() {
    let world = World::new();
    let host = world.fake.host.clone();
    assert_snapshot!(world.run(&format!("register {host}")), @r"
    exit: 2
    --- stderr
    error: there is no terminal to ask for the e-mail address
    hint: give it with --email
    ");
    assert_snapshot!(world.run(&format!("register {host} --email a@b.c")), @r"
    exit: 2
    --- stderr
    error: there is no terminal to ask for the password
    hint: give it with --password-stdin or --password
    ");
    assert_snapshot!(world.run("register not/a/host --email a@b.c --password x"), @r"
    exit: 2
    --- stderr
    error: `not/a/host` is no address of a server: write it as in `https://ambo.example.com` or `http://127.0.0.1:7080`
    ");
    assert_snapshot!(world.run("register"), @r"
    exit: 2
    --- stderr
    error: which server?
    hint: give its address, as in `https://ambo.example.com`
    ");
    world.fake.on(
        "POST /ambo/accounts",
        403,
        refusal("forbidden", "registration is closed: ask an administrator for an invitation"),
    );
    assert_snapshot!(world.run(&format!("register {host} --email a@b.c --password x")), @r"
    exit: 3
    --- stderr
    error: registration is closed: ask an administrator for an invitation
    ");
    assert!(!world.credentials().exists());
}

#[test]
fn a_password_can_come_from_a_pipe() {
    let world = World::new();
    world.fake.on("POST /oauth/authorizations", 201, authorization("from-login"));
    world.fake.on("GET /account", 200, account());
    let line = format!("auth:login {} --email ana@example.com --password-stdin", world.fake.host);
    assert_snapshot!(world.run_with_input(&line, b"hunter22\n"), @r"
    exit: 0
    --- stdout
    Logged in as ana@example.com on [HOST] (administrator)
    ");
    let asked = world.fake.asked_once("POST /oauth/authorizations");
    assert_eq!(asked.header("authorization"), "Basic YW5hQGV4YW1wbGUuY29tOmh1bnRlcjIy");
    assert_eq!(asked.json()["scope"], json!(["global"]));
    assert!(std::fs::read_to_string(world.credentials()).unwrap().contains("from-login"));
}

#[test]
fn a_wrong_password_is_no_reason_to_log_in_with_login() {
    let world = World::new();
    world.fake.on("POST /oauth/authorizations", 401, refusal("unauthorized", "wrong e-mail address or password"));
    assert_snapshot!(world.run(&format!("login {} --email a@b.c --password x", world.fake.host)), @r"
    exit: 3
    --- stderr
    error: wrong e-mail address or password
    hint: is the e-mail address right? `ambo register` makes an account
    ");
}

#[test]
fn logging_out_revokes_and_forgets() {
    let world = World::logged_in();
    world.fake.on("DELETE /oauth/sessions/~", 200, json!({}));
    assert_snapshot!(world.run("logout"), @r"
    exit: 0
    --- stderr
    Logged out of [HOST]
    ");
    assert_eq!(world.fake.asked_once("DELETE /oauth/sessions/~").header("authorization"), format!("Bearer {TOKEN}"));
    assert!(!std::fs::read_to_string(world.credentials()).unwrap().contains(TOKEN));
    assert!(world.run("whoami").starts_with("exit: 3"));
}

#[test]
fn a_token_is_shown_once_and_alone() {
    let world = World::logged_in();
    world.fake.on("POST /oauth/authorizations", 201, authorization("brand-new"));
    assert_snapshot!(world.run("authorizations:create -d ci --expires-in 30"), @r"
    exit: 0
    --- stdout
    brand-new
    --- stderr
    Created token 01890a5d-ac96-774b-bcce-b302099a8057. It is shown this once:
    ");
    let asked = world.fake.asked_once("POST /oauth/authorizations");
    assert_eq!(asked.json(), json!({"description": "ci", "expires_in": 2_592_000, "scope": ["global"]}));
    world.fake.on("GET /oauth/authorizations", 200, json!([authorization("bra**********new")]));
    assert_snapshot!(world.run("tokens"), @r"
    exit: 0
    --- stdout
    ID                                    DESCRIPTION  SCOPE   CREATED     LAST USED  EXPIRES
    01890a5d-ac96-774b-bcce-b302099a8057  ci           global  2026-01-01  unknown    never
    ");
    assert_snapshot!(world.run("tokens:revoke ci"), @r"
    exit: 2
    --- stderr
    error: `ci` is no token's id
    hint: `ambo tokens` lists them with their ids
    ");
}

#[test]
fn private_keys_stay_where_they_are() {
    let world = World::logged_in();
    write(&world.work(), "id", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    assert_snapshot!(world.run("keys:add id"), @r"
    exit: 2
    --- stderr
    error: `id` is a private key, which must stay where it is
    hint: give the public one: id.pub
    ");
    assert_snapshot!(world.run("keys:add"), @r"
    exit: 1
    --- stderr
    error: there is no public key in ~/.ssh
    hint: make one with `ssh-keygen -t ed25519`, or name its file
    ");
    assert_eq!(world.fake.asked_count(), 0);
}

#[test]
fn a_key_is_removed_by_any_of_its_names() {
    let world = World::logged_in();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let key = json!({
        "id": id, "comment": "ana@laptop", "email": "ana@example.com", "fingerprint": "SHA256:abc",
        "public_key": "ssh-ed25519 AAAA ana@laptop", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"
    });
    world.fake.on("GET /account/keys", 200, json!([key]));
    world.fake.on(&format!("DELETE /account/keys/{id}"), 200, json!({}));
    assert_snapshot!(world.run("keys"), @r"
    exit: 0
    --- stdout
    COMMENT     KIND         FINGERPRINT  ADDED
    ana@laptop  ssh-ed25519  SHA256:abc   2026-01-01
    ");
    assert_snapshot!(world.run("keys:remove ana@laptop"), @r"
    exit: 0
    --- stderr
    Removed SHA256:abc
    ");
    assert_snapshot!(world.run("keys:remove nobody"), @r"
    exit: 4
    --- stderr
    error: you have no key `nobody`
    hint: `ambo keys` lists them
    ");
}
