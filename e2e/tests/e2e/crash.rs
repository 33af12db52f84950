//! `kill -9` of `ambod` at each step of a push: nothing acknowledged is lost, nothing half-done serves, a new push works.

use std::process::Stdio;

use ambo_e2e::{Platform, Source, wait_until};

/// The steps of a push, each by a line that its user sees when it begins.
const STEPS: [&str; 4] = ["Building", "Storing the image", "Running release command", "Releasing"];

#[test]
fn a_push_interrupted_at_any_step_leaves_a_platform_that_works() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "acknowledged");
    source.write("Procfile", "web: python3 -u /server.py\nrelease: sleep 1\n");
    source.commit("A release phase");
    source.create_app("shop");
    source.push().ok();
    let mut acknowledged = "acknowledged".to_owned();
    for (turn, step) in STEPS.iter().enumerate() {
        source.say(&format!("interrupted {turn}"));
        interrupted_push(&platform, &source, &ann, step);
        platform.launch();
        wait_until(&format!("what was acknowledged is served after a kill at `{step}`"), || {
            (platform.app_get("shop", "/").body == acknowledged).then_some(())
        });
        wait_until("no build and no release is left pending", || {
            let pending = |rows: &serde_json::Value| {
                rows.as_array().is_some_and(|rows| rows.iter().any(|row| row["status"] == "pending"))
            };
            let (builds, releases) =
                (ann.ambo_json(&["builds", "-a", "shop"]), ann.ambo_json(&["releases", "-a", "shop"]));
            (!pending(&builds) && !pending(&releases)).then_some(())
        });
        wait_until("nothing half-done runs", || (platform.containers("shop", "web").len() == 1).then_some(()));
        acknowledged = format!("after {turn}");
        source.say(&acknowledged);
        source.push().ok();
        assert_eq!(platform.app_get("shop", "/").body, acknowledged);
    }
}

/// Pushes, and kills `ambod` as soon as the step's line is seen.
fn interrupted_push(platform: &Platform, source: &Source<'_, '_>, user: &ambo_e2e::User<'_>, step: &str) {
    let mut git = user.command("git");
    git.args(["push", "ambo", "main"]).current_dir(source.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut git = git.spawn().expect("git runs");
    let mut said = git.stderr.take().expect("its messages");
    let mut text = String::new();
    let mut chunk = [0; 4096];
    while !text.contains(step) {
        let count = std::io::Read::read(&mut said, &mut chunk).expect("its messages");
        assert_ne!(count, 0, "the push never came to `{step}`: {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    platform.kill();
    let ended = git.wait().expect("git ends");
    assert!(!ended.success(), "a push that nobody answered is no success");
}
