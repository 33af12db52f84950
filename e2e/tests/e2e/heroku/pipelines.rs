//! Pipelines.

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, User, limited, wait_until, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("pipelines"),
    works("pipelines:create"),
    works("pipelines:add"),
    works("pipelines:info"),
    works("pipelines:promote"),
    works("pipelines:promote --to"),
    works("pipelines:update"),
    works("pipelines:remove"),
    works("pipelines:rename"),
    limited("pipelines:transfer", "to another account, at once and without their consent; there are no teams"),
    works("pipelines:destroy"),
];

#[test]
fn apps_go_through_the_stages_of_a_pipeline() {
    let platform = Platform::start();
    let _administrator = platform.user("adam");
    let ann = platform.user("ann");
    let bob = platform.user("bob");
    let source = Source::web(&ann, "shop-staging", "one");
    source.create_app("shop-staging");
    source.push().ok();
    for app in ["shop", "shop-eu"] {
        ann.ambo(&["create", app, "--no-remote"]).ok();
    }
    let heroku = Heroku::new(&ann, CASES);
    heroku.run(&["pipelines:create", "shop", "-a", "shop-staging", "-s", "staging"]).ok().says("shop");
    heroku.run(&["pipelines:create", "shop", "-a", "shop", "-s", "staging"]).failed(2).says("already taken");
    heroku.run(&["pipelines"]).ok().says("My Pipelines").says("shop");
    heroku.run(&["pipelines:promote", "-a", "shop-staging"]).failed(1).says("no downstream apps");
    heroku.run(&["pipelines:add", "shop", "-a", "shop", "-s", "production"]).ok();
    heroku.run(&["pipelines:add", "shop", "-a", "shop", "-s", "production"]).failed(2).says("is in the pipeline");
    heroku.run(&["pipelines:add", "nowhere", "-a", "shop-eu", "-s", "staging"]).failed(1).says("Pipeline not found");
    heroku.run(&["pipelines:add", "shop", "-a", "shop-eu", "-s", "staging"]).ok();
    let info = heroku.run(&["pipelines:info", "shop"]).ok();
    for text in ["owner: ann@example.com", "shop-staging", "shop-eu", "production"] {
        assert!(info.stdout.contains(text), "`{text}` is missing: {info}");
    }
    promotions(&platform, &ann, &source, &heroku);

    heroku.run(&["pipelines:update", "-s", "development", "-a", "shop-eu"]).ok();
    heroku.run(&["pipelines:info", "shop"]).ok().says("development");
    heroku.run(&["pipelines:remove", "-a", "shop-eu"]).ok();
    heroku.run(&["pipelines:remove", "-a", "shop-eu"]).failed(2).says("in no pipeline");
    heroku.run(&["pipelines:rename", "shop", "store"]).ok();
    heroku.run(&["pipelines:info", "shop"]).failed(1).says("Pipeline not found");
    heroku.run(&["pipelines:transfer", "bob@example.com", "-p", "store", "-c", "store"]).ok();
    bob.ambo(&["info", "-a", "shop"]).ok().says("bob@example.com");
    heroku.run(&["pipelines:destroy", "store"]).failed(2).says("only the owner");
    Heroku::new(&bob, CASES).run(&["pipelines:destroy", "store"]).ok();
    assert!(!heroku.run(&["pipelines"]).ok().stdout.contains("store"));
    heroku.every_case_ran();
}

fn promotions(platform: &Platform, ann: &User<'_>, source: &Source<'_, '_>, heroku: &Heroku<'_, '_>) {
    heroku.run(&["pipelines:promote", "-a", "shop-staging"]).ok().says("Promotion successful").says("succeeded");
    assert_eq!(platform.app_get("shop", "/").body, "one");
    heroku.run(&["pipelines:promote", "-a", "shop-staging", "--to", "shop,shop-eu"]).ok().says("Promotion successful");
    assert_eq!(platform.app_get("shop-eu", "/").body, "one");

    // With one target, the output of its release phase is followed when the CLI, which asks each second, finds it running.
    source.write("Procfile", "release: echo migrating && sleep 5 && test -z \"$BROKEN\"\nweb: python3 -u /server.py\n");
    source.say("two");
    source.push().ok();
    heroku.run(&["pipelines:promote", "-a", "shop-staging"]).ok().says("Running release command...").says("migrating");
    assert_eq!(platform.app_get("shop", "/").body, "two");
    ann.ambo(&["config:set", "BROKEN=1", "-a", "shop-eu"]).ok();
    wait_until("the config is out", || (platform.app_get("shop-eu", "/env").body.contains("BROKEN=1")).then_some(()));
    let ran = heroku.run(&["pipelines:promote", "-a", "shop-staging", "--to", "shop,shop-eu"]).failed(1);
    assert!(ran.stdout.contains("release command failed with exit code 1"), "{ran}");
    assert_eq!(platform.app_get("shop-eu", "/").body, "one");
}
