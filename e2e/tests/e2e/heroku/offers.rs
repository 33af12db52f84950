//! What Heroku offers beside apps: features, buildpacks, add-ons, its status page, and what needs no platform.

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, cannot, limited, works};

pub(super) const CASES: &[HerokuCase] = &[
    limited("features", "there are none"),
    cannot("features:enable", "there are none: it says so"),
    limited("labs", "there are none"),
    cannot("labs:enable", "there are none: it says so"),
    works("buildpacks"),
    limited("buildpacks:set", "kept and shown with a warning; builds use a Dockerfile or detect the language"),
    works("buildpacks:clear"),
    limited("addons", "there are none"),
    cannot("addons:create", "Ambo serves no add-ons yet: it says so"),
    cannot("addons:info", "Ambo serves no add-ons yet: it says so"),
    cannot("addons:destroy", "Ambo serves no add-ons yet: it says so"),
    cannot(
        "container:push",
        "the CLI makes the registry's name `registry.$HEROKU_HOST`, which no scheme and port fit into; `docker push` to \
         `<app>/<process>` of the registry and a formation with `docker_image` do what it would, `ambo deploy` does more",
    ),
    works("teams"),
    works("status"),
    works("local"),
];

#[test]
fn what_ambo_does_not_offer_is_said_in_words() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let heroku = Heroku::new(&ann, CASES);
    ann.ambo(&["create", "shop"]).ok();
    heroku.run(&["features", "-a", "shop"]).ok();
    heroku.run(&["features:enable", "turbo", "-a", "shop"]).failed(2).says("no `turbo`");
    heroku.run(&["labs", "-a", "shop"]).ok();
    heroku.run(&["labs:enable", "turbo", "-a", "shop"]).failed(2).says("no `turbo`");

    heroku.run(&["buildpacks:set", "heroku/python", "-a", "shop"]).ok().says("builds do not use them");
    heroku.run(&["buildpacks", "-a", "shop"]).ok().says("heroku/python");
    heroku.run(&["buildpacks:clear", "-a", "shop"]).ok();
    assert!(!heroku.run(&["buildpacks", "-a", "shop"]).ok().stdout.contains("python"));

    heroku.run(&["addons", "-a", "shop"]).ok().says("No add-ons");
    heroku.run(&["addons:create", "heroku-redis:mini", "-a", "shop"]).failed(2).says("serves no add-ons yet");
    heroku.run(&["addons:info", "redis-1", "-a", "shop"]).failed(2).says("serves none yet");
    heroku.run(&["addons:destroy", "redis-1", "-a", "shop", "--confirm", "shop"]).failed(2).says("serves none yet");
    heroku.run(&["teams"]).ok();
    heroku.run(&["status"]).ok().says("No known issues");

    let source = Source::empty(&ann, "here");
    source.write("Procfile", "web: echo served locally on $PORT\n");
    heroku.run_in(source.path(), &["local", "-p", "5999"]).says("served locally on 5999");
    source.write("Dockerfile", "FROM scratch\n");
    heroku.run_in(source.path(), &["container:push", "web", "-a", "shop"]).failed(1);
    heroku.every_case_ran();
}
