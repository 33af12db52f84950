//! `ambo import heroku`, with a second Ambo in Heroku's place: it speaks the same API.

use std::fs;

use ambo_e2e::{Platform, Ran, Source, User, program, run};
use serde_json::Value;

/// The token that `ambo` has stored.
fn stored_token(user: &User<'_>) -> String {
    let text = fs::read_to_string(user.home().join("ambo/credentials.toml")).expect("a login");
    let line = text.lines().find(|line| line.starts_with("token")).expect("a token");
    line.split('"').nth(1).expect("in quotes").to_owned()
}

/// `ambo import heroku …` of somebody with a token for the other side.
fn import(user: &User<'_>, token: &str, there: &str, arguments: &[&str]) -> Ran {
    let mut command = user.command(program("ambo"));
    command.args(["import", "heroku", "--heroku-url", there]).args(arguments).env("HEROKU_API_KEY", token);
    run(&mut command)
}

fn report(ran: Ran) -> Value {
    let ran = ran.ok();
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {ran}"))
}

/// The names of what is planned so, of one kind.
fn planned(report: &Value, kind: &str, action: &str) -> Vec<String> {
    let items = report["items"].as_array().expect("items");
    let chosen = items.iter().filter(|item| item["kind"] == kind && item["action"] == action);
    chosen.filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn an_app_comes_over_with_all_that_it_has() {
    let (there, here) = (Platform::start(), Platform::start());
    let olga = there.user("olga");
    let bob = there.user("bob");
    Source::web(&olga, "shop", "hi").create_app("shop");
    olga.ambo(&["config:set", "SECRET_KEY=s3cret", "MODE=live", "-a", "shop"]).ok();
    olga.ambo(&["domains:add", "www.shop.example", "-a", "shop"]).ok();
    olga.ambo(&["access:add", &bob.email, "-a", "shop"]).ok();
    olga.ambo(&["pipelines:create", "shops", "-s", "production", "-a", "shop"]).ok();
    olga.ambo(&["drains:add", "syslog+tls://logs.example.com:6514", "-a", "shop"]).ok();
    let token = stored_token(&olga);

    let ann = here.user("ann");
    let cleo = here.user("cleo");
    let import = |arguments: &[&str]| import(&ann, &token, &there.api(), arguments);

    // The plan alone changes nothing, and shows no value.
    let shown = import(&["shop", "--as", "store", "--dry-run"]).ok();
    for text in ["SECRET_KEY", "www.shop.example", "CNAME    store.localhost", "git push ambo main"] {
        assert!(shown.stdout.contains(text), "`{text}` is missing in: {shown}");
    }
    assert!(!shown.stdout.contains("s3cret"), "{shown}");
    ann.ambo(&["info", "-a", "store"]).failed(4);
    import(&["shop"]).failed(2).says("--yes");

    let made = report(import(&["shop", "--as", "store", "--yes", "--json"]));
    assert_eq!(planned(&made, "config", "make"), ["MODE", "SECRET_KEY"]);
    let results = made["result"].as_array().expect("steps");
    let invited: Vec<_> = results.iter().filter(|one| one["outcome"] == "by_hand").collect();
    assert_eq!(invited.len(), 2, "Olga and Bob have no account here: {made}");
    assert!(invited[0]["message"].as_str().is_some_and(|text| text.contains("invitations:create")), "{made}");
    assert!(results.iter().all(|one| one["outcome"] != "failed"), "{made}");
    assert_eq!(ann.ambo(&["config:get", "SECRET_KEY", "-a", "store"]).ok().stdout.trim(), "s3cret");
    ann.ambo(&["domains", "-a", "store"]).ok().says("www.shop.example");
    ann.ambo(&["pipelines:info", "shops"]).ok().says("production").says("store");
    ann.ambo(&["drains", "-a", "store"]).ok().says("syslog+tls://logs.example.com:6514");

    // Once more: what is set here since is kept, what is here is not made again.
    ann.ambo(&["config:set", "MODE=test", "-a", "store"]).ok();
    let again = report(import(&["shop", "--as", "store", "--yes", "--json"]));
    assert_eq!(planned(&again, "config", "present"), ["SECRET_KEY"]);
    assert_eq!(planned(&again, "config", "leave"), ["MODE"]);
    assert_eq!(planned(&again, "domain", "present"), ["www.shop.example"]);
    assert_eq!(planned(&again, "pipeline", "present"), ["shops"]);
    assert_eq!(planned(&again, "drain", "present"), ["syslog+tls://logs.example.com:6514"]);
    assert_eq!(ann.ambo(&["config:get", "MODE", "-a", "store"]).ok().stdout.trim(), "test");
    report(import(&["shop", "--as", "store", "--yes", "--overwrite", "--json"]));
    assert_eq!(ann.ambo(&["config:get", "MODE", "-a", "store"]).ok().stdout.trim(), "live");

    // A name that is somebody else's.
    cleo.ambo(&["create", "shop"]).ok();
    let dan = here.user("dan");
    self::import(&dan, &token, &there.api(), &["shop", "--yes"]).failed(2).says("--as NAME");

    // Nothing has changed there.
    assert_eq!(olga.ambo(&["config:get", "MODE", "-a", "shop"]).ok().stdout.trim(), "live");
    assert_eq!(olga.ambo_json(&["releases", "-a", "shop"]).as_array().map(Vec::len), Some(2));
}

#[test]
fn the_formation_comes_over_after_the_first_deploy() {
    let (there, here) = (Platform::start(), Platform::start());
    let olga = there.user("olga");
    let original = Source::web(&olga, "shop", "hi");
    original.create_app("shop");
    original.push().ok();
    olga.ambo(&["ps:scale", "web=2", "-a", "shop"]).ok();
    let token = stored_token(&olga);

    let ann = here.user("ann");
    let import = |arguments: &[&str]| import(&ann, &token, &there.api(), arguments);
    let first = report(import(&["shop", "--yes", "--json"]));
    assert_eq!(planned(&first, "formation", "later"), ["web"]);
    let copy = Source::web(&ann, "shop", "hi");
    copy.ambo(&["git:remote", "-a", "shop"]).ok();
    copy.push().ok();
    let second = report(import(&["shop", "--yes", "--json"]));
    assert_eq!(planned(&second, "formation", "make"), ["web"]);
    ann.wait_for_instances("shop", "web", 2);
    let third = report(import(&["shop", "--dry-run", "--json"]));
    assert_eq!(planned(&third, "formation", "present"), ["web"]);
}

#[test]
fn what_is_wrong_with_the_heroku_side_is_said_as_such() {
    let (there, here) = (Platform::start(), Platform::start());
    let (olga, ann) = (there.user("olga"), here.user("ann"));
    let token = stored_token(&olga);
    import(&ann, "wrong", &there.api(), &["shop", "--yes"]).failed(3).says("does not accept the Heroku token");
    import(&ann, &token, &there.api(), &["nothing", "--yes"]).failed(4).says("no app `nothing`").says("heroku apps");
    import(&ann, "", &there.api(), &["shop", "--yes"]).failed(3).says("heroku auth:token");
    import(&ann, &token, "http://127.0.0.1:1", &["shop", "--yes"]).failed(6).says("--heroku-url");
    import(&ann, &token, "http://heroku.example", &["shop", "--yes"]).failed(2).says("read on the way");
    let netrc = format!("machine 127.0.0.1 login olga password {token}\n");
    fs::write(ann.home().join(".netrc"), netrc).expect("a file");
    import(&ann, "", &there.api(), &["nothing", "--yes"]).failed(4).says("no app `nothing`");
}
