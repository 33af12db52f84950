//! Two pushes at once.

use std::time::Duration;

use crate::platform::{BOTH, Platform, Script, Transport};

#[tokio::test(flavor = "multi_thread")]
async fn the_second_push_waits_and_is_told_for_whom() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let url = platform.url(transport, "ann", "shop");
        let first = platform.git("ann", &source, &["rev-parse", "HEAD"]).await.out;
        platform.fake.play(Script::Steps(vec!["       done".into()]));
        let mut one = platform.push_start("ann", &source, &[&url, "main"]);
        one.wait_for_line("Building").await;
        let mut two = platform.push_start("ann", &source, &[&url, "main:master"]);
        two.wait_for_line(&format!("ann@example.com has been pushing {} to 'shop' for", &first[..8])).await;
        assert_eq!(*platform.fake.busy.borrow(), 1);
        platform.fake.steps.add_permits(2);
        two.wait_for_line("Building").await;
        let (one, two) = (one.end().await, two.end().await);
        assert!(one.ok && two.ok, "{transport:?}\n{}\n{}", one.text, two.text);
        assert_eq!(platform.fake.received().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_push_gives_up_after_the_time_set() {
    let platform = Platform::start_with(|settings| settings.push_wait_max = Duration::from_secs(1)).await;
    let source = platform.source("work").await;
    let url = platform.url(Transport::Http, "ann", "shop");
    platform.fake.play(Script::Steps(vec!["       done".into()]));
    let mut one = platform.push_start("ann", &source, &[&url, "main"]);
    one.wait_for_line("Building").await;
    let two = platform.git("ann", &source, &["push", &url, "main"]).await;
    assert!(!two.ok && two.text.contains("Nothing was changed: push again in a while."), "{}", two.text);
    platform.fake.steps.add_permits(1);
    assert!(one.end().await.ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_branch_moved_while_it_waited_builds_nothing() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let url = platform.url(Transport::Ssh, "ann", "shop");
    platform.fake.play(Script::Steps(vec!["       done".into()]));
    let first = platform.git("ann", &source, &["rev-parse", "HEAD"]).await.out;
    let mut one = platform.push_start("ann", &source, &[&url, "main"]);
    one.wait_for_line("Building").await;
    platform.commit(&source, "two", b"2").await;
    let mut two = platform.push_start("ann", &source, &[&url, "main"]);
    two.wait_for_line("Waiting").await;
    platform.fake.steps.add_permits(1);
    assert!(one.end().await.ok);
    let two = two.end().await;
    let message = format!("'main' has moved to {} while you waited. Nothing was changed.", &first[..8]);
    assert!(!two.ok && two.text.contains(&message), "{}", two.text);
    assert_eq!(platform.fake.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_push_lets_the_one_that_waits_go_on() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let url = platform.url(transport, "ann", "shop");
        platform.fake.play(Script::Hang);
        let mut one = platform.push_start("ann", &source, &[&url, "main"]);
        one.wait_for_line("Building").await;
        platform.fake.play(Script::Accept);
        let mut two = platform.push_start("ann", &source, &[&url, "main"]);
        two.wait_for_line("Waiting").await;
        one.kill_all().await;
        let two = two.end().await;
        assert!(two.ok, "{transport:?} {}", two.text);
        assert_eq!(*platform.fake.dropped.borrow(), 1);
        platform.wait_until_clean("shop").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_apps_do_not_wait_for_each_other() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    platform.fake.play(Script::Hang);
    let mut one = platform.push_start("ann", &source, &[&platform.url(Transport::Http, "ann", "shop"), "main"]);
    one.wait_for_line("Building").await;
    platform.fake.play(Script::Accept);
    let two = platform.git("bob", &source, &["push", &platform.url(Transport::Http, "bob", "blog"), "main"]).await;
    assert!(two.ok, "{}", two.text);
}
