//! A push over HTTP, from `git push ambo main` to an answer; and every way in which one is rejected.

use std::process::Stdio;

use ambo_e2e::{Platform, Source, program, run, wait_until};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;

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
    let environment = platform.app_get("shop", "/env").body;
    let commit = source.git(&["rev-parse", "HEAD"]).ok().stdout;
    for line in ["AMBO_APP=shop", "AMBO_RELEASE=v2", "DYNO=web.1", &format!("SOURCE_VERSION={}", commit.trim())] {
        assert!(environment.lines().any(|found| found == line), "`{line}` is missing: {environment}");
    }

    source.say("hello two");
    source.push().ok().says("Releasing v3");
    assert_eq!(platform.app_get("shop", "/").body, "hello two");

    // `master` deploys as well, from any local branch.
    source.git(&["checkout", "-q", "-b", "topic"]).ok();
    source.say("hello topic");
    source.git(&["push", "ambo", "topic:master"]).ok().says("Releasing v4");
    assert_eq!(platform.app_get("shop", "/").body, "hello topic");
}

#[test]
fn a_push_that_cannot_serve_is_rejected_with_the_reason_and_the_old_release_serves_on() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "good");
    source.create_app("shop");
    source.push().ok();
    let good = source.git(&["rev-parse", "HEAD"]).ok().stdout;
    let rejected = |why: &[&str]| {
        source.commit("bad");
        let pushed = source.push().failed(1);
        for text in why.iter().chain(&["rejected"]) {
            assert!(pushed.stderr.contains(text), "`{text}` is missing: {pushed}");
        }
        assert_eq!(platform.app_get("shop", "/").body, "good");
        source.git(&["reset", "-q", "--hard", good.trim()]).ok();
    };

    source.write("Dockerfile", "FROM python:3.11-slim-bookworm\nRUN echo about to fail && exit 7\n");
    rejected(&["about to fail", "7"]);
    source.write("server.py", "print('my last words')\nraise SystemExit(3)\n");
    rejected(&["web.1 exited", "my last words"]);
    source.write("Procfile", "web: python3 -u /server.py\nrelease: echo migrating; exit 5\n");
    rejected(&["migrating", "release command failed with exit code 5"]);
    source.write("Procfile", "this is no Procfile\n");
    rejected(&["Procfile line 1"]);
    source.write("Dockerfile", "FROM nowhere.invalid/nothing:1\n");
    rejected(&["nowhere.invalid/nothing:1"]);

    // Nothing of the failed ones runs, and what is good still goes through.
    assert_eq!(platform.containers("shop", "web").len(), 1);
    source.say("good again");
    source.push().ok();
    assert_eq!(platform.app_get("shop", "/").body, "good again");
}

#[test]
fn an_instance_that_never_listens_fails_its_rollout() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "good");
    source.create_app("shop");
    source.push().ok();
    ann.ambo(&["healthchecks:set", "web", "tcp", "-a", "shop", "--start", "3"]).ok();
    source.write("server.py", "import time\nprint('deaf', flush=True)\ntime.sleep(600)\n");
    source.commit("deaf");
    source.push().failed(1).says("did not become healthy within 3 s").says("deaf");
    assert_eq!(platform.app_get("shop", "/").body, "good");
}

#[test]
fn refs_that_do_not_deploy_are_refused_with_the_way_to_do_it() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "good");
    source.create_app("shop");
    source.push().ok();
    source.git(&["tag", "v1"]).ok();
    source.git(&["push", "ambo", "v1"]).failed(1).says("main");
    source.git(&["push", "ambo", "main:topic"]).failed(1).says("topic").says("main");
    source.git(&["push", "ambo", ":main"]).failed(1).says("apps destroy");
    assert_eq!(platform.app_get("shop", "/").body, "good");
}

#[test]
fn a_deploy_token_pushes_its_app_and_reaches_no_other() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "pushed by CI");
    ann.ambo(&["create", "shop", "--no-remote"]).ok();
    ann.ambo(&["create", "other", "--no-remote"]).ok();
    let token = ann.ambo(&["tokens:create", "--deploy", "shop"]).ok().stdout.trim().to_owned();
    ann.ambo(&["tokens"]).ok().says("deploy:shop");
    ann.ambo(&["tokens:create", "--deploy", "nowhere"]).failed(4).says("nowhere");
    let host = platform.api().replace("http://", "");
    let push = |app: &str| source.git(&["push", &format!("http://ci:{token}@{host}/{app}.git"), "main"]);
    push("other").failed(128).says("other");
    push("shop").ok().says("deployed to Ambo");
    assert_eq!(platform.app_get("shop", "/").body, "pushed by CI");
    let ci = |args: &[&str]| run(ann.command(program("ambo")).args(args).env("AMBO_API_KEY", &token));
    ci(&["config:set", "A=1", "-a", "shop"]).ok();
    ci(&["apps"]).ok().says("shop");
    assert!(!ci(&["apps"]).stdout.contains("other"));
    ci(&["logs", "-a", "other"]).failed(4);
    ci(&["destroy", "shop", "--confirm", "shop"]).failed(3).says("deploy");
    ci(&["tokens:create"]).failed(3);
}

#[test]
fn the_second_of_two_pushes_waits_for_the_first() {
    let platform = Platform::start();
    let (ann, bob) = (platform.user("ann"), platform.user("bob"));
    let first = Source::web(&ann, "shop", "first");
    first.create_app("shop");
    first.push().ok();
    ann.ambo(&["access:add", &bob.email, "-a", "shop"]).ok();
    first.write("Dockerfile", "FROM python:3.11-slim-bookworm\nRUN sleep 8\nCOPY server.py /server.py\nCMD [\"python3\", \"-u\", \"/server.py\"]\n");
    first.say("slow");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| first.push());
        wait_until("the slow build has begun", || {
            let builds = ann.ambo_json(&["builds", "-a", "shop"]);
            (builds[0]["status"] == "pending").then_some(())
        });
        let second = Source::web(&bob, "shop", "second");
        second.git(&["init", "-q"]).ok();
        second.ambo(&["git:remote", "-a", "shop"]).ok();
        // It waits, is told for whom, and that what it would have replaced has moved meanwhile.
        let pushed = second.git(&["push", "--force", "ambo", "main"]).failed(1);
        assert!(pushed.stderr.contains("ann@example.com") && pushed.stderr.contains("push again"), "{pushed}");
        slow.join().expect("the first push").ok();
        second.git(&["push", "--force", "ambo", "main"]).ok();
    });
    assert_eq!(platform.app_get("shop", "/").body, "second");
}

#[test]
fn a_push_whose_client_is_killed_is_cancelled_and_leaves_no_lock() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "good");
    source.create_app("shop");
    source.push().ok();
    source.write("Dockerfile", "FROM python:3.11-slim-bookworm\nRUN sleep 600\n");
    source.commit("endless");
    let mut git = ann.command("git");
    git.args(["push", "ambo", "main"]).current_dir(source.path()).process_group(0);
    git.stdout(Stdio::null()).stderr(Stdio::null());
    let mut git = git.spawn().expect("git runs");
    let newest = || ann.ambo_json(&["builds", "-a", "shop"])[0]["status"].clone();
    wait_until("the build has begun", || (newest() == "pending").then_some(()));
    let group = Pid::from_raw(i32::try_from(git.id()).expect("a process id")).expect("a process id");
    kill_process_group(group, Signal::KILL).expect("git runs");
    git.wait().expect("git has ended");
    wait_until("the build is cancelled", || (newest() == "failed").then_some(()));

    source.git(&["reset", "-q", "--hard", "HEAD~1"]).ok();
    source.say("next");
    source.push().ok();
    assert_eq!(platform.app_get("shop", "/").body, "next");
}
