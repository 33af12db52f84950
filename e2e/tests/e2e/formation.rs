//! Scaling, restarting, limits.

use std::process::Command;

use ambo_e2e::{Platform, Source, run, wait_until};

#[test]
fn scaling_restarting_and_limits_do_what_they_say() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();

    ann.ambo(&["ps:scale", "web=3", "-a", "shop"]).ok();
    ann.wait_for_instances("shop", "web", 3);
    let rows = ann.ambo_json(&["ps", "-a", "shop"]);
    for row in rows.as_array().expect("rows") {
        for key in ["name", "state", "node", "release"] {
            assert!(!row[key].is_null(), "`{key}` is missing in {row}");
        }
    }
    let dynos: std::collections::BTreeSet<String> = (0..60)
        .map(|_| {
            platform.app_get("shop", "/env").body.lines().find(|l| l.starts_with("DYNO=")).expect("DYNO").to_owned()
        })
        .collect();
    assert_eq!(dynos.len(), 3, "every instance is asked: {dynos:?}");

    let before = platform.containers("shop", "web");
    ann.ambo(&["restart", "-a", "shop"]).ok();
    wait_until("every instance is a new one", || {
        let now = platform.containers("shop", "web");
        (now.len() == 3 && now.iter().all(|id| !before.contains(id))).then_some(())
    });

    ann.ambo(&["scale", "web-1", "-a", "shop"]).ok();
    ann.wait_for_instances("shop", "web", 2);
    ann.ambo(&["limits:set", "web=64M", "-a", "shop"]).ok();
    wait_until("the instances are limited", || {
        let ids = platform.containers("shop", "web");
        let inspected = run(Command::new("docker").args(["inspect", "-f", "{{.HostConfig.Memory}}"]).args(&ids)).stdout;
        (ids.len() == 2 && inspected.lines().all(|bytes| bytes == (64 << 20).to_string())).then_some(())
    });

    ann.ambo(&["ps:scale", "web=0", "-a", "shop"]).ok();
    wait_until("nothing is routed", || (platform.app_get("shop", "/").status == 503).then_some(()));
    source.say("still zero");
    source.push().ok();
    assert_eq!(platform.containers("shop", "web").len(), 0, "an app scaled to zero stays at zero");
}
