//! What users of an app meet: pages, domains, maintenance, streams.

use ambo_e2e::{Platform, Source, get_with, wait_until};

#[test]
fn hosts_lead_to_their_apps_and_nowhere_else() {
    let platform = Platform::start();
    let (ann, bob) = (platform.user("ann"), platform.user("bob"));
    let source = Source::web(&ann, "shop", "the shop");
    source.create_app("shop");
    let empty = platform.app_get("shop", "/");
    assert_eq!(empty.status, 503, "{empty:?}");
    assert!(empty.head.contains("text/html"), "{}", empty.head);
    source.push().ok();
    let unknown = platform.host_get("unknown.localhost", "/");
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.to_lowercase().contains("<html"), "{unknown:?}");

    ann.ambo(&["domains:add", "www.example.com", "-a", "shop"]).ok();
    ann.ambo(&["domains:add", "*.example.org", "-a", "shop"]).ok();
    for host in ["www.example.com", "WWW.EXAMPLE.COM", "any.example.org", "shop.localhost"] {
        wait_until(host, || (platform.host_get(host, "/").body == "the shop").then_some(()));
    }
    bob.ambo(&["create", "other"]).ok();
    bob.ambo(&["domains:add", "www.example.com", "-a", "other"]).failed(2).says("in use by another app");
    for own in ["localhost", "shop.localhost", "*.localhost"] {
        let ran = bob.ambo(&["domains:add", own, "-a", "other"]);
        assert_ne!(ran.code, 0, "{ran}");
    }
    ann.ambo(&["domains:remove", "www.example.com", "-a", "shop"]).ok();
    wait_until("the domain leads nowhere", || (platform.host_get("www.example.com", "/").status == 404).then_some(()));

    ann.ambo(&["maintenance:on", "-a", "shop"]).ok();
    wait_until("maintenance", || (platform.app_get("shop", "/").status == 503).then_some(()));
    ann.ambo(&["maintenance:off", "-a", "shop"]).ok();
    wait_until("service", || (platform.app_get("shop", "/").status == 200).then_some(()));

    let https = get_with(&format!("https://shop.localhost:{}/", platform.https_port()), &["-k"]);
    assert_eq!(https.body, "the shop");
}

#[test]
fn access_lines_go_into_the_apps_log() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    assert_eq!(platform.app_get("shop", "/look").status, 200);
    wait_until("the access line", || {
        let logs = ann.ambo(&["logs", "-n", "50", "-a", "shop"]).ok().stdout;
        let line = logs.lines().find(|line| line.contains("ambo[router]") && line.contains("/look"))?;
        for part in ["at=info", "method=GET", "host=shop.localhost", "dyno=web.1", "status=200", "bytes="] {
            assert!(line.contains(part), "`{part}` is missing: {line}");
        }
        assert!(logs.contains("app[web.1]"), "{logs}");
        Some(())
    });
}
