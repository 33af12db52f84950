//! Config, releases and rollback.

use ambo_e2e::{Platform, Source};

#[test]
fn every_change_is_a_release_and_rollback_restores_build_and_config() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "one");
    source.create_app("shop");
    source.push().ok(); // v2
    ann.ambo(&["config:set", "A=good", "MULTI=line one\nline two", "UNI=grüße ✓", "-a", "shop"]).ok(); // v3
    let environment = platform.app_get("shop", "/env").body;
    for text in ["A=good", "MULTI=line one\nline two", "UNI=grüße ✓", "AMBO_RELEASE=v3"] {
        assert!(environment.contains(text), "`{text}` is missing: {environment}");
    }
    source.say("two");
    source.push().ok(); // v4
    ann.ambo(&["config:set", "A=bad", "-a", "shop"]).ok(); // v5

    ann.ambo(&["rollback", "v3", "-a", "shop"]).ok().says("v6");
    assert_eq!(platform.app_get("shop", "/").body, "one");
    assert!(platform.app_get("shop", "/env").body.contains("A=good"));

    // What follows a rollback builds on what the rollback restored.
    ann.ambo(&["config", "set", "B=new", "-a", "shop"]).ok(); // v7
    let environment = platform.app_get("shop", "/env").body;
    assert!(environment.contains("A=good") && environment.contains("B=new"), "{environment}");
    assert_eq!(platform.app_get("shop", "/").body, "one");

    let releases = ann.ambo_json(&["releases", "-a", "shop"]);
    let releases = releases.as_array().expect("releases");
    assert_eq!(releases[0]["version"], 7);
    assert_eq!(releases[1]["description"], "Rollback to v3");
    assert!(releases.iter().all(|release| release["status"] == "succeeded"), "{releases:?}");
    assert_eq!(releases[0]["user"]["email"], ann.email);
    assert_eq!(ann.ambo(&["config:get", "UNI", "-a", "shop"]).ok().stdout.trim_end(), "grüße ✓");
    ann.ambo(&["config:unset", "A", "-a", "shop"]).ok();
    assert!(!platform.app_get("shop", "/env").body.contains("A=good"));
}

#[test]
fn config_that_kills_the_app_fails_its_release_and_the_app_serves_on() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "fine");
    source.write(
        "server.py",
        &format!(
            "import os\nassert 'POISON' not in os.environ, 'poisoned'\n{}",
            std::fs::read_to_string(source.path().join("server.py")).expect("the server")
        ),
    );
    source.commit("Refuse poison");
    source.create_app("shop");
    source.push().ok();
    let ran = ann.ambo(&["config:set", "POISON=1", "-a", "shop"]);
    assert_ne!(ran.code, 0, "{ran}");
    assert_eq!(platform.app_get("shop", "/").body, "fine");
    // The failed release is nobody's base.
    ann.ambo(&["config:set", "FINE=1", "-a", "shop"]).ok();
    assert!(platform.app_get("shop", "/env").body.contains("FINE=1"));
    assert_eq!(ann.ambo(&["config:get", "POISON", "-a", "shop"]).ok().stdout.trim(), "");
}
