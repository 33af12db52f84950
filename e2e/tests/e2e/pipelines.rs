//! Pipelines: the same image from one stage to the next.

use ambo_e2e::{Platform, Source, User, wait_until};
use serde_json::Value;

/// Three apps in three stages; the first one runs something.
fn pipeline<'u, 'p>(ann: &'u User<'p>, text: &str) -> Source<'u, 'p> {
    let source = Source::web(ann, "shop-dev", text);
    source.create_app("shop-dev");
    source.push().ok();
    for app in ["shop-staging", "shop"] {
        ann.ambo(&["create", app, "--no-remote"]).ok();
        ann.ambo(&["config:set", &format!("APP={app}"), "-a", app]).ok();
    }
    ann.ambo(&["pipelines:create", "shop", "-s", "development", "-a", "shop-dev"]).ok();
    ann.ambo(&["pipelines:add", "shop", "-s", "staging", "-a", "shop-staging"]).ok();
    ann.ambo(&["pipelines", "add", "shop", "--stage", "production", "-a", "shop"]).ok();
    source
}

fn image(platform: &Platform, app: &str) -> String {
    let [container] = &platform.containers(app, "web")[..] else { panic!("one web of {app}") };
    let format = "{{index .Config.Image}}";
    let ran = ambo_e2e::run(platform.docker().args(["inspect", "--format", format, container])).ok();
    ran.stdout.trim().rsplit('@').next().expect("a digest").to_owned()
}

#[test]
fn a_promotion_runs_the_same_image_with_the_targets_config_and_diff_says_what_is_left() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = pipeline(&ann, "one");
    ann.ambo(&["pipelines"]).ok().says("shop");
    ann.ambo(&["pipelines:diff", "-a", "shop-dev"]).ok().says("shop-staging (staging) is behind shop-dev by 1 build");
    ann.ambo(&["pipelines:promote", "-a", "shop-dev"]).ok().says("Promoted");
    assert_eq!(platform.app_get("shop-staging", "/").body, "one");
    assert!(platform.app_get("shop-staging", "/env").body.contains("APP=shop-staging"));
    assert_eq!(image(&platform, "shop-staging"), image(&platform, "shop-dev"), "nothing was built anew");
    ann.ambo(&["pipelines:diff", "-a", "shop-dev"]).ok().says("up to date");
    ann.ambo(&["releases", "-a", "shop-staging"]).ok().says("Promote shop-dev v2 ");

    source.say("two");
    source.push().ok();
    let commit = source.git(&["rev-parse", "--short=12", "HEAD"]).ok().stdout;
    ann.ambo(&["pipelines:diff", "-a", "shop-dev"]).ok().says(commit.trim()).says("by 1 build:");
    let ended = ann.ambo_json(&["pipelines:promote", "-a", "shop-dev", "--to", "shop-staging,shop"]);
    let states: Vec<&Value> = ended.as_array().expect("targets").iter().map(|target| &target["status"]).collect();
    assert_eq!(states, ["succeeded", "succeeded"]);
    for app in ["shop-staging", "shop"] {
        assert_eq!(platform.app_get(app, "/").body, "two");
    }
    ann.ambo(&["pipelines:promote", "-a", "shop"]).failed(2).says("nothing comes after it");

    ann.ambo(&["pipelines:update", "-s", "development", "-a", "shop"]).ok();
    let info = ann.ambo(&["pipelines:info", "shop"]).ok();
    assert!(info.stdout.lines().any(|line| line.contains("development") && line.contains(" shop ")), "{info}");
    ann.ambo(&["pipelines:remove", "-a", "shop"]).ok();
    ann.ambo(&["pipelines:promote", "-a", "shop"]).failed(4).says("in no pipeline");
    ann.ambo(&["pipelines:rename", "shop", "store"]).ok();
    ann.ambo(&["pipelines:destroy", "store"]).ok();
    assert_eq!(platform.app_get("shop", "/").body, "two", "apps stay");
}

#[test]
fn a_target_whose_release_phase_fails_serves_on_and_says_why() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = pipeline(&ann, "one");
    ann.ambo(&["pipelines:promote", "-a", "shop-dev", "-t", "shop-staging,shop"]).ok();
    // Fails where the config has no DATABASE.
    source.write("Procfile", "release: test -n \"$DATABASE\"\nweb: python3 -u /server.py\n");
    ann.ambo(&["config:set", "DATABASE=x", "-a", "shop-dev"]).ok();
    ann.ambo(&["config:set", "DATABASE=x", "-a", "shop"]).ok();
    source.say("two");
    source.push().ok();
    let ran = ann.ambo(&["pipelines:promote", "-a", "shop-dev", "-t", "shop-staging,shop"]).failed(1);
    assert!(
        ran.stdout.lines().any(|line| line.contains("shop-staging") && line.contains("release command failed")),
        "{ran}"
    );
    assert_eq!(platform.app_get("shop-staging", "/").body, "one");
    assert_eq!(platform.app_get("shop", "/").body, "two");
}

#[test]
fn a_promotion_goes_on_after_the_platform_was_killed() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = pipeline(&ann, "one");
    source.write("Procfile", "release: sleep 3\nweb: python3 -u /server.py\n");
    source.say("two");
    source.push().ok();
    ann.ambo(&["pipelines:promote", "-a", "shop-dev", "--no-wait"]).ok();
    wait_until("the release has been made", || {
        let releases = ann.ambo(&["releases", "-a", "shop-staging"]).stdout;
        releases.contains("Promote shop-dev").then_some(())
    });
    platform.kill();
    platform.launch();
    wait_until("the promotion serves", || (platform.app_get("shop-staging", "/").body == "two").then_some(()));
    let promoted = ann.ambo(&["releases", "-a", "shop-staging"]).ok().stdout;
    assert_eq!(promoted.matches("Promote shop-dev").count(), 1, "one release, not two: {promoted}");
}
