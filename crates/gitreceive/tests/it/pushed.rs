//! Pushes that work.

use crate::platform::{BOTH, Platform, Script, Transport, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn a_push_hands_the_tree_over_and_moves_the_ref() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let commit = platform.commit(&source, "app.js", b"console.log(1)\n").await;
        let url = platform.url(transport, "ann", "shop");
        let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
        assert!(answer.ok, "{transport:?} {}", answer.text);
        assert!(answer.text.contains(&format!("remote: -----> Building {}", &commit[..8])), "{}", answer.text);
        assert_eq!(platform.server_ref("shop", "refs/heads/main").await.as_ref(), Some(&commit));
        let received = platform.fake.received();
        assert_eq!(received.len(), 1);
        assert_eq!((received[0].app, received[0].by), (platform.fake.app("shop"), platform.fake.ann()));
        assert_eq!(received[0].commit, commit);
        assert_eq!(received[0].files, [("app.js".to_owned(), 15), ("index.html".to_owned(), 6)]);
        platform.wait_until_clean("shop").await;
        assert!(!received[0].archive.exists());

        let again = platform.git("ann", &source, &["push", &url, "main"]).await;
        assert!(again.ok && again.text.contains("Everything up-to-date"), "{}", again.text);
        assert_eq!(platform.fake.received().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_reach_the_terminal_while_the_build_runs_and_in_order() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let steps: Vec<String> = (1..=5).map(|n| format!("       step {n}")).collect();
        platform.fake.play(Script::Steps(steps));
        let url = platform.url(transport, "ann", "shop");
        let mut push = platform.push_start("ann", &source, &[&url, "main"]);
        push.wait_for_line("remote: -----> Building").await;
        for n in 1..=5 {
            assert!(!push.seen.contains(&format!("step {n}")));
            // The receiver says the line only now, and the next one only when this one was seen.
            platform.fake.steps.add_permits(1);
            push.wait_for_line(&format!("remote:        step {n}")).await;
        }
        assert!(push.end().await.ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_push_leaves_the_ref_where_it_was_and_says_why_once() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let url = platform.url(transport, "ann", "shop");
        let first = platform.git("ann", &source, &["rev-parse", "HEAD"]).await.out;
        assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
        platform.commit(&source, "broken", b"").await;

        platform.fake.play(Script::Reject("The build failed: exit code 7.".into()));
        let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
        assert!(!answer.ok);
        assert!(answer.text.contains("remote:  !     The build failed: exit code 7."), "{}", answer.text);
        assert!(
            answer.text.contains("! [remote rejected] main -> main (pre-receive hook declined)"),
            "{}",
            answer.text
        );
        assert_eq!(platform.server_ref("shop", "refs/heads/main").await.as_ref(), Some(&first));

        // A reason that the receiver has shown already, as it does here with its first line, is not shown again.
        platform.fake.play(Script::Reject("-----> Building".into()));
        let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
        assert_eq!(answer.text.matches("-----> Building").count(), 1, "{}", answer.text);
        platform.wait_until_clean("shop").await;

        platform.fake.play(Script::Accept);
        assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_local_branch_deploys_to_main_also_by_force() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let url = platform.url(Transport::Http, "ann", "shop");
    assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
    platform.git("ann", &source, &["checkout", "-q", "--orphan", "other"]).await;
    let commit = platform.commit(&source, "new.html", b"new").await;
    let refused = platform.git("ann", &source, &["push", &url, "other:main"]).await;
    assert!(!refused.ok, "git itself asks for force: {}", refused.text);
    let forced = platform.git("ann", &source, &["push", "--force", &url, "other:main"]).await;
    assert!(forced.ok, "{}", forced.text);
    assert_eq!(platform.server_ref("shop", "refs/heads/main").await, Some(commit));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_follows_the_branch_that_was_pushed_last() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let url = platform.url(Transport::Ssh, "ann", "shop");
    assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
    let first = platform.git("ann", &source, &["rev-parse", "HEAD"]).await.out;
    let second = platform.commit(&source, "two", b"2").await;
    assert!(platform.git("ann", &source, &["push", &url, "main:master"]).await.ok);
    assert_eq!(platform.server_ref("shop", "HEAD").await.as_ref(), Some(&second));
    assert_eq!(platform.server_ref("shop", "refs/heads/main").await, None);
    // Back to what `main` was: a deploy like any other, not "everything up-to-date".
    let back = platform.git("ann", &source, &["push", &url, &format!("{first}:refs/heads/main")]).await;
    assert!(back.ok, "{}", back.text);
    assert_eq!(platform.server_ref("shop", "HEAD").await, Some(first));
    assert_eq!(platform.fake.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_megabytes_go_through_both_transports() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let mut noise = vec![0_u8; 60 << 20];
        rand::Rng::fill(&mut rand::rng(), &mut noise[..]);
        platform.commit(&source, "noise.bin", &noise).await;
        let url = platform.url(transport, "ann", "shop");
        let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
        assert!(answer.ok, "{transport:?} {}", answer.text);
        let files = &platform.fake.received()[0].files;
        assert!(files.contains(&("noise.bin".to_owned(), 60 << 20)), "{files:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn submodules_are_warned_about() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    platform.commit(&source, ".gitmodules", b"[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib\n").await;
    let url = platform.url(Transport::Http, "ann", "shop");
    let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
    assert!(
        answer.ok && answer.text.contains("remote:  !     Submodules (.gitmodules) are not fetched"),
        "{}",
        answer.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_repository_takes_pushes_and_a_removed_one_starts_anew() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let url = platform.url(Transport::Http, "ann", "shop");
    for n in 0..3 {
        platform.commit(&source, &format!("file-{n}"), b"x").await;
        assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
    }
    let packs = || {
        let entries = std::fs::read_dir(platform.repository("shop").join("objects/pack")).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|it| it == "pack")).count()
    };
    assert_eq!(packs(), 3);
    platform.git.repositories().maintain(platform.fake.app("shop")).await.unwrap();
    assert_eq!(packs(), 1);
    platform.commit(&source, "more", b"x").await;
    assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);

    platform.git.repositories().remove(platform.fake.app("shop")).await.unwrap();
    assert!(!platform.repository("shop").exists());
    platform.git.repositories().remove(platform.fake.app("shop")).await.unwrap();
    assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
    platform.git.repositories().maintain(platform.fake.app("blog")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_a_push_finish_and_then_refuses() {
    let mut platform = Platform::start().await;
    let source = platform.source("work").await;
    platform.fake.play(Script::Steps(vec!["       last step".into()]));
    let url = platform.url(Transport::Ssh, "ann", "shop");
    let mut push = platform.push_start("ann", &source, &[&url, "main"]);
    push.wait_for_line("Building").await;
    platform.shutdown.cancel();
    wait_until("refusals", async || {
        let url = platform.url(Transport::Http, "ann", "shop");
        platform.git("ann", &source, &["ls-remote", &url]).await.text.contains("shutting down")
    })
    .await;
    platform.fake.steps.add_permits(1);
    let answer = push.end().await;
    assert!(answer.ok, "{}", answer.text);
    let mut ended =
        [platform.tasks.join_next().await.unwrap().unwrap(), platform.tasks.join_next().await.unwrap().unwrap()];
    ended.sort_unstable();
    assert_eq!(ended, ["git", "ssh"]);
}
