//! Deploys without git: a directory, an image.

use ambo_e2e::{Platform, Source};

#[test]
fn a_directory_deploys_without_git_and_without_what_is_ignored() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "from a directory");
    source.write(".gitignore", "secret.txt\n");
    source.write("secret.txt", "s3cret");
    source.write("Dockerfile", "FROM python:3.11-slim-bookworm\nCOPY . /\nRUN test ! -e /secret.txt\nCMD [\"python3\", \"-u\", \"/server.py\"]\n");
    ann.ambo(&["create", "shop"]).ok();
    source.ambo(&["deploy", "-a", "shop"]).ok();
    assert_eq!(platform.app_get("shop", "/").body, "from a directory");
    source.write("server.py", "raise SystemExit(4)\n");
    source.ambo(&["deploy", "-a", "shop"]).failed(1).says("web.1 exited");
    assert_eq!(platform.app_get("shop", "/").body, "from a directory");
}

#[test]
fn an_existing_image_runs_as_web_on_the_port_that_it_exposes() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    ann.ambo(&["create", "pages"]).ok();
    ann.ambo(&["deploy", "--image", "nginx:stable", "-a", "pages"]).ok();
    assert!(platform.app_get("pages", "/").body.contains("nginx"));
    ann.ambo(&["deploy", "--image", "nowhere.invalid/nothing:1", "-a", "pages"])
        .failed(1)
        .says("nowhere.invalid/nothing:1");
    assert!(platform.app_get("pages", "/").body.contains("nginx"));
}

#[test]
fn an_example_with_a_procfile_runs_its_release_phase_and_its_worker() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::example(&ann, "hello-python", "hello");
    source.create_app("hello");
    source.push().ok().says("Running release command");
    assert_eq!(platform.app_get("hello", "/").status, 200);
    ann.ambo(&["ps:scale", "worker=2", "-a", "hello"]).ok();
    ann.wait_for_instances("hello", "worker", 2);

    // A process that vanishes from the Procfile is stopped once the rollout has succeeded.
    let procfile = std::fs::read_to_string(source.path().join("Procfile")).expect("a Procfile");
    let without: String =
        procfile.lines().filter(|line| !line.starts_with("worker")).map(|line| format!("{line}\n")).collect();
    source.write("Procfile", &without);
    source.commit("No worker");
    source.push().ok();
    ann.wait_for_instances("hello", "worker", 0);
    ann.wait_for_instances("hello", "web", 1);
}
