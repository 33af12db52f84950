//! Logging in and out, and API tokens.

use ambo_e2e::{Heroku, HerokuCase, Platform, limited, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("login -i"),
    works("auth:whoami"),
    limited(
        "auth:token",
        "prints the token, but not when it ends: Ambo shows a token once, so the CLI does not find it again",
    ),
    works("authorizations"),
    works("authorizations:create"),
    works("authorizations:info"),
    works("authorizations:update"),
    works("authorizations:rotate"),
    works("authorizations:revoke"),
    works("logout"),
];

#[test]
fn accounts_log_in_and_out_and_keep_tokens() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let heroku = Heroku::logged_out(&ann, CASES);
    heroku.run(&["auth:whoami"]).failed(100);

    let mut login = heroku.terminal(&["login", "-i"]);
    login.expect("Email").send("ann@example.com\r").expect("Password").send("wrong-horse\r");
    let refused = login.end();
    assert!(refused.code != 0 && refused.stdout.contains("password is wrong"), "{refused}");
    let mut login = heroku.terminal(&["login", "-i"]);
    login.expect("Email").send("ann@example.com\r").expect("Password").send("correct-horse\r");
    login.end().ok().says("Logged in as ann@example.com");
    assert_eq!(heroku.run(&["auth:whoami"]).ok().stdout.trim(), "ann@example.com");
    assert!(heroku.run(&["auth:token"]).ok().stdout.trim().starts_with("ambo_"));
    authorizations(&heroku);

    heroku.run(&["logout"]).ok();
    heroku.run(&["auth:whoami"]).failed(100);
    heroku.every_case_ran();
}

fn authorizations(heroku: &Heroku<'_, '_>) {
    let made = heroku.run(&["authorizations:create", "-d", "for ci", "-s", "read", "--json"]).ok();
    let made: serde_json::Value = serde_json::from_str(&made.stdout).expect("JSON");
    let (id, token) = (made["id"].as_str().expect("an id"), made["access_token"]["token"].as_str().expect("a token"));
    heroku.run(&["authorizations"]).ok().says("for ci").says(id);
    heroku.run(&["authorizations:info", id]).ok().says("for ci").says("read");
    heroku.run(&["authorizations:update", id, "-d", "for cd"]).ok();
    heroku.run(&["authorizations:info", id]).ok().says("for cd");
    let rotated = heroku.run(&["authorizations:rotate", id]).ok();
    assert!(rotated.stdout.contains("ambo_") && !rotated.stdout.contains(token), "{rotated}");
    heroku.run(&["authorizations:revoke", id]).ok();
    heroku.run(&["authorizations:info", id]).failed(2).says("no API token");
}
