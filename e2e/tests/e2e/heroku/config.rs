//! Config, releases and rollback.

use std::os::unix::fs::PermissionsExt;

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, Terminal, User, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("config"),
    works("config:set"),
    works("config:get"),
    works("config:unset"),
    works("config:edit"),
    works("releases"),
    works("releases --json"),
    works("releases:info"),
    works("releases:output"),
    works("releases:rollback"),
    works("rollback"),
];

#[test]
fn config_makes_releases_that_are_shown_and_rolled_back() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let heroku = Heroku::new(&ann, CASES);
    let source = Source::web(&ann, "shop", "one");
    source.write("Procfile", "web: python3 -u /server.py\nrelease: echo migrated $COLOUR\n");
    source.commit("A release command");
    source.create_app("shop");
    source.push().ok(); // v2

    heroku.run(&["config:set", "COLOUR=green", "TWO=a b", "-a", "shop"]).ok().says("v3"); // v3
    assert_eq!(heroku.run(&["config:get", "COLOUR", "-a", "shop"]).ok().stdout.trim(), "green");
    assert_eq!(heroku.run(&["config:get", "NOTHING", "-a", "shop"]).ok().stdout.trim(), "");
    let all = heroku.run(&["config", "-a", "shop"]).ok();
    assert!(all.stdout.contains("COLOUR:") && all.stdout.contains("a b"), "{all}");
    heroku.run(&["config:unset", "TWO", "-a", "shop"]).ok().says("v4"); // v4
    edit(&ann, &heroku); // v5
    heroku.run(&["config:set", "1BAD=x", "-a", "shop"]).failed(2).says("1BAD");

    releases(&heroku);
    let body = || platform.app_get("shop", "/env").body;
    heroku.run(&["rollback", "v3", "-a", "shop"]).ok().says("v6");
    ambo_e2e::wait_until("v3's config serves", || body().contains("TWO=a b").then_some(()));
    heroku.run(&["releases:rollback", "-a", "shop"]).ok().says("v7");
    heroku.run(&["rollback", "v1", "-a", "shop"]).failed(2).says("no build");
    heroku.every_case_ran();
}

fn edit(ann: &User<'_>, heroku: &Heroku<'_, '_>) {
    let editor = ann.home().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i s/green/blue/ \"$1\"\n").expect("an editor");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut command = heroku.prepare(&["config:edit", "COLOUR", "-a", "shop"]);
    command.env("EDITOR", &editor).env("VISUAL", &editor);
    let mut terminal = Terminal::start(command);
    terminal.expect("Update config on").send("y\r");
    terminal.end().ok();
    assert_eq!(heroku.run(&["config:get", "COLOUR", "-a", "shop"]).ok().stdout.trim(), "blue");
}

fn releases(heroku: &Heroku<'_, '_>) {
    let listed = heroku.run(&["releases", "-a", "shop"]).ok();
    for text in ["v5", "v2", "ann@example.com", "Set COLOUR"] {
        assert!(listed.stdout.contains(text), "`{text}` is missing: {listed}");
    }
    let json = heroku.run(&["releases", "--json", "-n", "2", "-a", "shop"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(2));
    heroku.run(&["releases:info", "v3", "-a", "shop"]).ok().says("ann@example.com").says("COLOUR");
    heroku.run(&["releases:info", "v99", "-a", "shop"]).failed(2).says("Couldn't find that release");
    // The command of v3 ran with v3's config.
    let output = heroku.run(&["releases:output", "v3", "-a", "shop"]).ok();
    assert_eq!(output.stdout.trim(), "migrated green", "{output}");
}
