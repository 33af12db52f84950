//! Bad input: a message that a person can act on, an exit code to match, nothing lost.

use ambo_e2e::{Platform, Source, get_with, run};

#[test]
fn names_counts_and_keys_that_cannot_be_are_refused_with_the_rule() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    let refused = |arguments: &[&str], says: &str| {
        let ran = ann.ambo(arguments);
        assert!(ran.code != 0 && ran.stderr.contains(says), "`{says}` is missing: {ran}");
        assert!(!ran.stderr.contains("panicked"), "{ran}");
    };
    refused(&["create", "Not_A_Name"], "lowercase");
    refused(&["create", "git"], "reserved");
    refused(&["create", "shop"], "taken");
    refused(&["config:set", "BAD-KEY=1", "-a", "shop"], "BAD-KEY");
    refused(&["config:set", "1X=1", "-a", "shop"], "1X");
    refused(&["config:set", "DYNO=x", "-a", "shop"], "DYNO");
    refused(&["domains:add", "not a domain", "-a", "shop"], "domain");
    refused(&["domains:add", "10.0.0.1", "-a", "shop"], "IP address");
    refused(&["ps:scale", "nothing=1", "-a", "shop"], "nothing");
    refused(&["ps:scale", "web=-1", "-a", "shop"], "web");
    refused(&["ps:scale", "web=100000", "-a", "shop"], "100");
    refused(&["rollback", "v99", "-a", "shop"], "99");
    refused(&["info", "-a", "nothing"], "nothing");
    refused(&["limits:set", "web=1M", "-a", "shop"], "6M");
    refused(&["tags:set", "web", "region=eu", "-a", "shop"], "one machine");
    refused(&["login", "http://127.0.0.1:1", "--email", "a@b.c", "--password", "x"], "127.0.0.1:1");
    assert_eq!(platform.app_get("shop", "/").body, "hi");
}

#[test]
fn sources_that_cannot_be_built_are_refused_with_the_reason() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::empty(&ann, "odd");
    source.ambo(&["create", "odd"]).ok();
    let nothing = source.git(&["push", "ambo", "main"]);
    assert_ne!(nothing.code, 0, "{nothing}");
    source.write("notes.txt", "no language at all");
    source.commit("Notes");
    source.push().failed(1).says("no Dockerfile and no language");
    source.git(&["rm", "-q", "notes.txt"]).ok();
    source.commit("Nothing left");
    let empty = source.push();
    assert!(empty.code != 0 && empty.stderr.contains("holds no files"), "{empty}");
}

#[test]
fn archives_with_ways_out_are_refused() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    ann.ambo(&["create", "shop"]).ok();
    let token = ann.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let archive = ann.home().join("evil.tar");
    let inside = ann.home().join("inside");
    std::fs::create_dir_all(&inside).expect("a directory");
    std::fs::write(inside.join("x"), "x").expect("a file");
    let tar = |arguments: &[&str]| {
        run(ann.command("tar").arg("-cPf").arg(&archive).args(arguments).current_dir(&inside)).ok();
    };
    let upload = || {
        let (data, authorization) = (format!("@{}", archive.display()), format!("Authorization: Bearer {token}"));
        let url = format!("{}/ambo/apps/shop/builds", platform.api());
        get_with(
            &url,
            &["-X", "POST", "-H", &authorization, "-H", "Content-Type: application/x-tar", "--data-binary", &data],
        )
    };
    tar(&["../inside/x"]);
    let dots = upload();
    assert!(dots.body.contains("..") && dots.body.contains("failed"), "{dots:?}");
    std::os::unix::fs::symlink("/etc/passwd", inside.join("link")).expect("a link");
    tar(&["x", "link"]);
    let link = upload();
    assert!(link.body.contains("link") && link.body.contains("failed"), "{link:?}");
    tar(&["/dev/null"]);
    let device = upload();
    assert!(device.body.contains("/dev/null") || device.body.contains("dev/null"), "{device:?}");
    assert!(device.body.contains("failed"), "{device:?}");
}

#[test]
fn a_taken_port_is_named() {
    let platform = Platform::start();
    let dir = platform.path().join("second");
    let taken = format!("127.0.0.1:{}", platform.http_port());
    let ran = run(std::process::Command::new(ambo_e2e::program("ambod"))
        .args(["serve", "--listen-http", &taken, "--listen-api", "127.0.0.1:0", "--listen-https", "127.0.0.1:0"])
        .args(["--listen-ssh", "127.0.0.1:0", "--listen-registry", "127.0.0.1:0"])
        .args(["--listen-rendezvous", "127.0.0.1:0", "--data"])
        .arg(&dir));
    ran.failed(1).says("already taken").says(&taken);
}

#[test]
fn giant_heads_and_bodies_are_refused_and_the_platform_lives() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    let giant = format!("X-Giant: {}", "x".repeat(100_000));
    assert_eq!(get_with(&platform.app_url("shop", "/"), &["-H", &giant]).status, 431);
    let api = get_with(&format!("{}/apps", platform.api()), &["-H", &giant]);
    assert!((400..500).contains(&api.status), "{api:?}");
    let body = ann.home().join("giant.json");
    std::fs::write(&body, "x".repeat(20 << 20)).expect("a file");
    let token = ann.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let (data, authorization) = (format!("@{}", body.display()), format!("Authorization: Bearer {token}"));
    let api = get_with(
        &format!("{}/apps", platform.api()),
        &["-X", "POST", "-H", &authorization, "-H", "Content-Type: application/json", "--data-binary", &data],
    );
    assert!((400..500).contains(&api.status), "{api:?}");
    assert_eq!(platform.app_get("shop", "/").body, "hi");
}

#[test]
fn an_engine_that_is_down_is_named_and_found_again() {
    let engine = tempfile::tempdir().expect("a directory");
    let socket = engine.path().join("docker.sock");
    let address = format!("unix://{}", socket.display());
    let platform = Platform::start_with(&[("AMBO_REGISTRATION", "open"), ("AMBO_ENGINE", &address)]);
    let ann = platform.user("ann");
    ann.ambo(&["create", "shop"]).ok();
    ann.ambo(&["ps", "-a", "shop"]).failed(6).says("engine");
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).expect("a link");
    ambo_e2e::wait_until("the engine is found", || (ann.ambo(&["ps", "-a", "shop"]).code == 0).then_some(()));
}
