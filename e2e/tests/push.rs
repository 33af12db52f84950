//! A push, from `git push ambo main` to an answer.

use ambo_e2e::{Platform, Source};

#[test]
fn a_push_builds_releases_routes_and_tells_so() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hello one");
    source.create_app("shop");
    let pushed = source.push().ok();
    for line in ["remote: -----> Building", "remote: -----> Releasing v2", "deployed to Ambo"] {
        assert!(pushed.stderr.contains(line), "`{line}` is missing: {pushed}");
    }
    assert_eq!(platform.app_get("shop", "/").body, "hello one");
    assert_eq!(platform.containers("shop", "web").len(), 1);

    source.say("hello two");
    source.push().ok().says("Releasing v3");
    assert_eq!(platform.app_get("shop", "/").body, "hello two");
}
