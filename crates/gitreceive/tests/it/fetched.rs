//! Clones and fetches.

use crate::platform::{BOTH, Platform};

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_is_what_was_pushed() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        for n in 0..20 {
            platform.commit(&source, &format!("file-{n}"), format!("{n}").as_bytes()).await;
        }
        let url = platform.url(transport, "ann", "shop");
        let commit = platform.git("ann", &source, &["rev-parse", "HEAD"]).await.out;
        assert!(platform.git("ann", &source, &["push", &url, "main:master"]).await.ok);
        let home = platform.home.path();
        for (name, options, count) in [
            ("whole", &[][..], "21"),
            ("shallow", &["--depth", "1"], "1"),
            ("old", &["-c", "protocol.version=0"], "21"),
            ("partial", &["--filter=blob:none"], "21"),
        ] {
            let arguments = [&["clone", "-q"], options, &[&url, name]].concat();
            let answer = platform.git("ann", home, &arguments).await;
            assert!(answer.ok, "{transport:?} {name} {}", answer.text);
            let copy = home.join(name);
            assert_eq!(platform.git("ann", &copy, &["rev-parse", "HEAD"]).await.out, commit);
            assert_eq!(platform.git("ann", &copy, &["branch", "--show-current"]).await.out, "master");
            assert_eq!(platform.git("ann", &copy, &["rev-list", "--count", "HEAD"]).await.out, count);
            assert_eq!(std::fs::read(copy.join("file-7")).unwrap(), b"7");
        }
        let next = platform.commit(&source, "next", b"next").await;
        assert!(platform.git("ann", &source, &["push", &url, "main:master"]).await.ok);
        let whole = home.join("whole");
        assert!(platform.git("ann", &whole, &["pull", "-q"]).await.ok);
        assert_eq!(platform.git("ann", &whole, &["rev-parse", "HEAD"]).await.out, next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_pushes_is_an_empty_clone() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let url = platform.url(transport, "ann", "shop");
        let answer = platform.git("ann", platform.home.path(), &["clone", &url, "copy"]).await;
        assert!(answer.ok && answer.text.contains("cloned an empty repository"), "{}", answer.text);
    }
}
