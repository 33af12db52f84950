//! Help, usage, exit codes, JSON, and what is said where.

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{TOKEN, World, account, refusal};

#[test]
fn help_shows_the_commands() {
    assert_snapshot!("help", World::new().run("--help"));
    assert_snapshot!("help_short", World::new().run("-h"));
    assert_snapshot!("help_exit_codes", World::new().run("help exit-codes"));
}

#[test]
fn every_command_explains_itself() {
    let world = World::new();
    let mut all = String::new();
    for command in [
        "register",
        "login",
        "apps",
        "create",
        "destroy",
        "git:remote",
        "keys",
        "deploy",
        "builds",
        "config",
        "config:pull",
        "ps",
        "scale",
        "limits:set",
        "tags:set",
        "healthchecks:set",
        "releases",
        "rollback",
        "domains",
        "logs",
        "run",
        "exec",
        "access",
        "maintenance",
        "tokens",
        "invitations",
        "settings",
        "completion",
    ] {
        let seen = world.run(&format!("{command} --help"));
        assert!(seen.starts_with("exit: 0"), "{command}: {seen}");
        all.push_str(&format!("$ ambo {command} --help\n{seen}\n"));
    }
    assert_snapshot!("help_of_commands", all);
}

#[test]
fn an_unknown_command_is_answered_with_what_was_probably_meant() {
    let world = World::new();
    assert_snapshot!(world.run("relaeses"), @r"
    exit: 2
    --- stderr
    error: unrecognized subcommand 'relaeses'

      tip: some similar subcommands exist: 'release', 'releases'

    Usage: ambo [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(world.run("config:sett A=b"), @r"
    exit: 2
    --- stderr
    error: unrecognized subcommand 'sett'

      tip: some similar subcommands exist: 'get', 'set'

    Usage: ambo config [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(world.run("config:set novalue"), @r"
    exit: 2
    --- stderr
    error: invalid value 'novalue' for '<KEY=VALUE>...': write it as `KEY=value`

    For more information, try '--help'.
    ");
}

#[test]
fn who_is_not_logged_in_is_told_how() {
    let world = World::new();
    assert_snapshot!(world.run("apps"), @r"
    exit: 3
    --- stderr
    error: not logged in
    hint: `ambo login URL`, or `ambo register URL` for a new account
    ");
    assert_snapshot!(world.run("apps --host http://127.0.0.1:9"), @r"
    exit: 3
    --- stderr
    error: not logged in to http://127.0.0.1:9
    hint: `ambo login http://127.0.0.1:9`, or `ambo register http://127.0.0.1:9` for a new account
    ");
    assert_snapshot!(world.command("apps").env("AMBO_API_KEY", "x").output().map(|output| world.seen(&output)).unwrap(), @r"
    exit: 2
    --- stderr
    error: AMBO_API_KEY is set, but which server is it for?
    hint: set AMBO_HOST
    ");
}

#[test]
fn a_server_that_is_away_is_told_from_one_that_refuses() {
    let world = World::new();
    let away = world.command("whoami --host http://127.0.0.1:9").env("AMBO_API_KEY", "x").output().unwrap();
    assert_snapshot!(world.seen(&away), @r"
    exit: 6
    --- stderr
    error: cannot reach http://127.0.0.1:9: Connection refused (os error 111)
    hint: is the address right, and does `ambod` run there?
    ");

    for (status, id, exit) in [
        (401, "unauthorized", 3),
        (403, "forbidden", 3),
        (404, "not_found", 4),
        (409, "conflict", 5),
        (422, "invalid_params", 2),
        (429, "rate_limit", 6),
        (500, "internal", 1),
        (503, "engine_unavailable", 6),
    ] {
        let world = World::logged_in();
        world.fake.on("GET /apps", status, refusal(id, "because of this"));
        let seen = world.run("apps");
        assert!(seen.starts_with(&format!("exit: {exit}\n--- stderr\nerror: because of this\n")), "{status}: {seen}");
    }
}

#[test]
fn a_failing_server_names_the_request() {
    let world = World::logged_in();
    let body = refusal("internal", "something broke").to_string().into_bytes();
    world.fake.on_raw("GET /account", 500, &[("request-id", "req-42")], body);
    assert_snapshot!(world.run("whoami"), @r"
    exit: 1
    --- stderr
    error: something broke
    hint: the server's log has more under the request id `req-42`
    ");
}

#[test]
fn the_token_of_the_environment_goes_before_the_stored_one() {
    let world = World::logged_in();
    world.fake.on("GET /account", 200, account());
    assert_snapshot!(world.run("whoami"), @r"
    exit: 0
    --- stdout
    ana@example.com
    ");
    let output = world.command("whoami --json").env("AMBO_API_KEY", "other").output().unwrap();
    assert!(output.status.success());
    let asked = world.fake.asked("GET /account");
    let sent: Vec<_> = asked.iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(sent, [format!("Bearer {TOKEN}"), "Bearer other".to_owned()]);
}

#[test]
fn lists_come_in_pages() {
    let world = World::logged_in();
    let page = |names: &[&str]| json!(names.iter().map(|name| crate::world::app(name)).collect::<Vec<_>>()).to_string();
    world.fake.on_raw("GET /apps", 206, &[("next-range", "name ]a..")], page(&["a"]).into_bytes());
    world.fake.on_raw("GET /apps", 200, &[], page(&["b"]).into_bytes());
    let seen = world.run("apps");
    assert!(seen.contains("\na ") && seen.contains("\nb "), "{seen}");
    assert_eq!(world.fake.asked("GET /apps")[1].header("range"), "name ]a..");
}

#[test]
fn colour_and_progress_are_for_terminals() {
    let world = World::logged_in();
    world.fake.on("GET /account", 401, refusal("unauthorized", "no"));
    assert!(!world.run("whoami").contains('\u{1b}'));
    let forced = world.command("whoami").env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(world.seen(&forced).contains("\u{1b}[1;31merror:"));
    let refused = world.command("whoami").env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!world.seen(&refused).contains('\u{1b}'));
}

#[test]
fn a_reader_that_leaves_early_is_no_fault() {
    let world = World::logged_in();
    let line = "2026-01-01T00:00:00.000000+00:00 app[web.1]: hello\n";
    crate::logs::serve(&world, &line.repeat(100_000));
    let mut child = world
        .command("logs -a shop -n 1500")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn versions_and_completions_need_no_login() {
    let world = World::new();
    world.fake.on(
        "GET /ambo/info",
        200,
        json!({"version": "0.1.0", "domain": "localhost", "router_url": "http://localhost:7000", "registration": "closed"}),
    );
    assert_snapshot!(world.run("version"), @r"
    exit: 0
    --- stdout
    ambo 0.1.0
    ");
    assert_snapshot!(world.run(&format!("version --host {} --json", world.fake.host)), @r#"
    exit: 0
    --- stdout
    {
      "client": "0.1.0",
      "host": "[HOST]",
      "server": "0.1.0"
    }
    "#);
    for shell in ["bash", "zsh", "fish"] {
        let seen = world.run(&format!("completion {shell}"));
        assert!(seen.starts_with("exit: 0\n") && seen.contains("maintenance"), "{shell}");
    }
}
