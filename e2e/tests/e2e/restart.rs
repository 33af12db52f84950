//! Restarts of `ambod` itself: nothing is lost, apps are served by the next start.

use ambo_e2e::{Platform, Source, wait_until};

#[test]
fn a_restart_loses_nothing_and_apps_run_on() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    ann.ambo(&["config:set", "A=1", "-a", "shop"]).ok();
    let running = wait_until("only the newest instance is left", || {
        let running = platform.containers("shop", "web");
        (running.len() == 1).then_some(running)
    });
    platform.terminate();
    assert_eq!(platform.containers("shop", "web"), running, "apps run on without ambod");
    platform.launch();
    wait_until("the app is served", || (platform.app_get("shop", "/").body == "hi").then_some(()));
    assert_eq!(platform.containers("shop", "web"), running, "nothing was restarted");
    assert_eq!(ann.ambo(&["config:get", "A", "-a", "shop"]).ok().stdout.trim(), "1");
    source.say("after");
    source.push().ok();
    assert_eq!(platform.app_get("shop", "/").body, "after");
}

#[test]
fn a_second_ambod_on_the_same_data_is_refused() {
    let platform = Platform::start();
    let data = platform.data();
    let ran = ambo_e2e::run(
        std::process::Command::new(ambo_e2e::program("ambod"))
            .args([
                "serve",
                "--listen-api",
                "127.0.0.1:0",
                "--listen-http",
                "127.0.0.1:0",
                "--listen-https",
                "127.0.0.1:0",
            ])
            .args(["--listen-ssh", "127.0.0.1:0", "--listen-registry", "127.0.0.1:0"])
            .args(["--listen-rendezvous", "127.0.0.1:0", "--data"])
            .arg(&data),
    );
    ran.failed(1).says("another ambod");
}
