//! Under load, no change of an app and no restart of `ambod` fails a request.

use ambo_e2e::{Load, Platform, Source, wait_until};
use rustix::process::Signal;

fn without_failure(platform: &Platform, app: &str, what: &str, change: impl FnOnce()) {
    let load = Load::start(platform, app);
    wait_until("the load is on", || (platform.app_get(app, "/").status == 200).then_some(()));
    change();
    let report = load.stop();
    assert!(report.requests > 0, "{}", report.text);
    assert_eq!(report.failed(), 0, "{what}: {}", report.text);
}

#[test]
fn deploy_scale_rollback_restart_fail_no_request() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "one");
    source.create_app("shop");
    source.push().ok();
    without_failure(&platform, "shop", "deploy", || {
        source.say("two");
        source.push().ok();
        wait_until("only the new instance is left", || (platform.containers("shop", "web").len() == 1).then_some(()));
    });
    without_failure(&platform, "shop", "scale", || {
        ann.ambo(&["ps:scale", "web=5", "-a", "shop"]).ok();
        ann.wait_for_instances("shop", "web", 5);
        ann.ambo(&["ps:scale", "web=2", "-a", "shop"]).ok();
        ann.wait_for_instances("shop", "web", 2);
    });
    without_failure(&platform, "shop", "rollback", || {
        ann.ambo(&["rollback", "v2", "-a", "shop"]).ok();
        wait_until("the old release serves", || (platform.app_get("shop", "/").body == "one").then_some(()));
        ann.wait_for_instances("shop", "web", 2);
    });
    without_failure(&platform, "shop", "restart", || {
        let before = platform.containers("shop", "web");
        ann.ambo(&["ps:restart", "-a", "shop"]).ok();
        wait_until("every instance is a new one", || {
            let now = platform.containers("shop", "web");
            (now.len() == 2 && now.iter().all(|id| !before.contains(id))).then_some(())
        });
    });
}

#[test]
fn a_restart_of_ambod_by_sighup_refuses_nobody() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    without_failure(&platform, "shop", "restart of ambod", || {
        let before = platform.serving_pid();
        platform.signal(Signal::HUP);
        wait_until("the successor serves", || {
            (platform.serving_pid() != before && platform.api_get("/ambo/info").status == 200).then_some(())
        });
        for _ in 0..20 {
            assert_eq!(platform.app_get("shop", "/").body, "hi");
        }
    });
    ann.ambo(&["ps", "-a", "shop"]).ok();
}
