//! Apps: making, showing, naming, giving away and removing them.

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, limited, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("apps:create"),
    works("apps"),
    works("apps:info"),
    works("apps:info --json"),
    limited("apps:open", "shown without a browser: it prints the URL"),
    works("apps:rename"),
    works("maintenance"),
    works("maintenance:on"),
    works("maintenance:off"),
    works("git:remote"),
    works("regions"),
    works("stack"),
    works("apps:destroy"),
];

#[test]
fn apps_are_made_shown_renamed_and_destroyed() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let heroku = Heroku::new(&ann, CASES);
    let source = Source::empty(&ann, "shop");
    let made = heroku.run_in(source.path(), &["apps:create", "shop"]).ok();
    let url = platform.app_url("shop", "/");
    assert!(made.stdout.contains(&url), "{made}");
    source.git(&["remote", "get-url", "heroku"]).ok().says("/shop.git");

    heroku.run(&["apps"]).ok().says("shop");
    // The app comes from the git remote.
    let info = heroku.run_in(source.path(), &["apps:info"]).ok();
    for text in ["shop", "ann@example.com", &url, "container"] {
        assert!(info.stdout.contains(text), "`{text}` is missing: {info}");
    }
    let json = heroku.run(&["apps:info", "--json", "-a", "shop"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["app"]["name"], "shop");
    heroku.run(&["apps:info", "-a", "nothing"]).failed(2).says("Couldn't find that app");

    heroku.run(&["regions"]).ok().says("us");
    heroku.run(&["stack", "-a", "shop"]).ok().says("container");
    open(&heroku, &url);
    maintenance(&heroku);

    heroku.run_in(source.path(), &["apps:rename", "store"]).ok().says(&platform.app_url("store", "/"));
    source.git(&["remote", "get-url", "heroku"]).ok().says("/store.git");
    let elsewhere = Source::empty(&ann, "elsewhere");
    heroku.run_in(elsewhere.path(), &["git:remote", "-a", "store"]).ok();
    elsewhere.git(&["remote", "get-url", "heroku"]).ok().says("/store.git");

    heroku.run(&["apps:destroy", "-a", "store", "--confirm", "wrong"]).failed(1);
    heroku.run_in(source.path(), &["apps:destroy", "-a", "store", "--confirm", "store"]).ok();
    assert!(!heroku.run(&["apps"]).ok().stdout.contains("store"));
    heroku.every_case_ran();
}

fn open(heroku: &Heroku<'_, '_>, url: &str) {
    let opened = heroku.run(&["apps:open", "-a", "shop"]);
    assert!(opened.stdout.contains(url) || opened.stderr.contains(url), "{opened}");
}

fn maintenance(heroku: &Heroku<'_, '_>) {
    heroku.run(&["maintenance:on", "-a", "shop"]).ok();
    assert_eq!(heroku.run(&["maintenance", "-a", "shop"]).ok().stdout.trim(), "on");
    heroku.run(&["maintenance:off", "-a", "shop"]).ok();
    assert_eq!(heroku.run(&["maintenance", "-a", "shop"]).ok().stdout.trim(), "off");
}
