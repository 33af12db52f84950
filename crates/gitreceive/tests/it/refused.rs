//! Pushes and people that are refused.

use crate::platform::{BOTH, Platform, Transport};

#[tokio::test(flavor = "multi_thread")]
async fn refs_that_do_not_deploy_are_refused_with_the_next_step() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let url = platform.url(transport, "ann", "shop");
        assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
        let before = platform.server_ref("shop", "refs/heads/main").await;
        platform.commit(&source, "two", b"2").await;
        for setup in [&["branch", "topic"][..], &["tag", "light"], &["tag", "-a", "-m", "x", "v1"], &["branch", "late"]]
        {
            assert!(platform.git("ann", &source, setup).await.ok);
        }
        let cases: [(&[&str], &str); 8] = [
            (
                &["topic"],
                "!     Pushed to branch 'topic': only 'main' or 'master' deploys. Use: git push ambo topic:main",
            ),
            (&["v1"], "!     Use: git push ambo 'v1^{commit}:refs/heads/main'"),
            (&["light"], "!     Pushed tag 'light': tags do not deploy."),
            (&[":main"], "!     Deleting 'main' would leave the app without its source"),
            (&["main", "topic"], "!     Pushed 2 refs at once: only one branch deploys at a time."),
            (&["--tags"], "!     Pushed 2 refs at once"),
            (&["v1:refs/heads/main"], "!     'main' was pushed a tag, not a commit."),
            (&["main:refs/notes/x"], "!     Pushed to 'refs/notes/x': only the branches 'main' and 'master' deploy."),
        ];
        for (what, message) in cases {
            let arguments = [&["push", &url], what].concat();
            let answer = platform.git("ann", &source, &arguments).await;
            assert!(!answer.ok, "{what:?}");
            assert!(answer.text.contains(message), "{transport:?} {what:?}\n{}", answer.text);
        }
        assert_eq!(platform.server_ref("shop", "refs/heads/main").await, before);
        assert_eq!(platform.fake.received().len(), 1);
        let peeled = platform.git("ann", &source, &["push", &url, "v1^{commit}:refs/heads/main"]).await;
        assert!(peeled.ok, "the advice works: {}", peeled.text);
        platform.wait_until_clean("shop").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_files_is_refused() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    platform.git("ann", &source, &["rm", "-q", "index.html"]).await;
    assert!(platform.git("ann", &source, &["commit", "-q", "-m", "empty"]).await.ok);
    let url = platform.url(Transport::Http, "ann", "shop");
    let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
    assert!(!answer.ok && answer.text.contains("holds no files: there is nothing to build."), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_commits_has_nothing_to_push() {
    let platform = Platform::start().await;
    let source = platform.home.path().join("empty");
    std::fs::create_dir(&source).unwrap();
    platform.git("ann", &source, &["init", "-q", "-b", "main"]).await;
    let answer = platform.git("ann", &source, &["push", &platform.url(Transport::Ssh, "ann", "shop"), "main"]).await;
    assert!(!answer.ok && answer.text.contains("src refspec main does not match any"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_apps_and_no_apps_look_the_same() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let theirs = platform.url(transport, "bob", "blog");
        assert!(platform.git("bob", &source, &["push", &theirs, "main"]).await.ok);
        let mut texts = Vec::new();
        for app in ["blog", "none", "..%2f..%2fetc"] {
            let url = platform.url(transport, "ann", app);
            let push = platform.git("ann", &source, &["push", &url, "main"]).await;
            let clone = platform.git("ann", &source, &["clone", &url, "copy"]).await;
            let list = platform.git("ann", &source, &["ls-remote", &url]).await;
            assert!(!push.ok && !clone.ok && !list.ok, "{transport:?} {app}");
            assert!(push.text.contains("there is no app `"), "{}", push.text);
            texts.push([push.text, list.text].map(|text| text.replace(app, "APP")));
        }
        assert_eq!(texts[0], texts[1], "an app of somebody else's must not show");
        assert_eq!(platform.fake.received().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_refused_and_tokens_work() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let url = |login: &str| format!("http://{login}@{}/shop.git", platform.http);
    for login in ["ann%40example.com:wrong", "ann%40example.com:", "nobody:ann-secret"] {
        for arguments in [&["ls-remote"][..], &["push"]] {
            let url = url(login);
            let mut arguments = arguments.to_vec();
            arguments.extend([url.as_str(), "main"]);
            let answer = platform.git("ann", &source, &arguments).await;
            assert!(!answer.ok, "{login}");
            assert!(answer.text.contains("Authentication failed"), "{}", answer.text);
        }
    }
    let answer = platform
        .git("ann", &source, &["push", &url("x:token-of-ann@example.com".replace('@', "%40").as_str()), "main"])
        .await;
    assert!(answer.ok, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_beyond_the_limit_is_refused() {
    for transport in BOTH {
        let platform = Platform::start_with(|settings| settings.push_size_max = ambo_model::ByteSize::kib(64)).await;
        let source = platform.source("work").await;
        let mut noise = vec![0_u8; 3 << 20];
        rand::Rng::fill(&mut rand::rng(), &mut noise[..]);
        platform.commit(&source, "noise.bin", &noise).await;
        let answer = platform.git("ann", &source, &["push", &platform.url(transport, "ann", "shop"), "main"]).await;
        assert!(!answer.ok && answer.text.contains("exceeds maximum allowed size"), "{transport:?} {}", answer.text);
        platform.wait_until_clean("shop").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_beyond_the_limit_is_refused() {
    let platform = Platform::start_with(|settings| settings.archive_size_max = ambo_model::ByteSize::mib(1)).await;
    let source = platform.source("work").await;
    // Small as a pack, large as files.
    platform.commit(&source, "zeros.bin", &vec![0; 8 << 20]).await;
    let answer = platform.git("ann", &source, &["push", &platform.url(Transport::Http, "ann", "shop"), "main"]).await;
    assert!(!answer.ok && answer.text.contains("unpacks to more than 1M"), "{}", answer.text);
    platform.wait_until_clean("shop").await;
}
