//! Clients that leave.

use std::time::Duration;

use crate::platform::{BOTH, Platform, Script, Transport, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_cancels_the_push_and_leaves_nothing() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let url = platform.url(transport, "ann", "shop");
        platform.fake.play(Script::Hang);
        let mut push = platform.push_start("ann", &source, &[&url, "main"]);
        push.wait_for_line("Building").await;
        assert!(!platform.leftovers("shop").is_empty(), "the objects are in quarantine");
        push.kill_all().await;
        platform.wait_until_dropped().await;
        assert_eq!(platform.server_ref("shop", "refs/heads/main").await, None);
        platform.wait_until_clean("shop").await;

        platform.fake.play(Script::Accept);
        let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
        assert!(answer.ok && !answer.text.contains("Waiting"), "{transport:?} {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_sending_in_mid_pack_is_gone() {
    for transport in BOTH {
        let platform = Platform::start().await;
        let source = platform.source("work").await;
        let mut noise = vec![0_u8; 40 << 20];
        rand::Rng::fill(&mut rand::rng(), &mut noise[..]);
        platform.commit(&source, "noise.bin", &noise).await;
        let push = platform.push_start("ann", &source, &[&platform.url(transport, "ann", "shop"), "main"]);
        wait_until("a pack that arrives", async || !platform.leftovers("shop").is_empty()).await;
        push.kill_all().await;
        platform.wait_until_clean("shop").await;
        assert_eq!(platform.server_ref("shop", "refs/heads/main").await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_client_is_gone() {
    let platform = Platform::start_with(|settings| {
        settings.keep_alive = Duration::from_secs(3600);
        settings.idle_max = Duration::from_secs(2);
    })
    .await;
    let source = platform.source("work").await;
    platform.fake.play(Script::Hang);
    let push = platform.push_start("ann", &source, &[&platform.url(Transport::Http, "ann", "shop"), "main"]);
    let answer = push.end().await;
    assert!(!answer.ok, "{}", answer.text);
    platform.wait_until_dropped().await;
    platform.wait_until_clean("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_a_killed_server_are_swept_by_the_next_push() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let url = platform.url(Transport::Http, "ann", "shop");
    assert!(platform.git("ann", &source, &["push", &url, "main"]).await.ok);
    let repository = platform.repository("shop");
    std::fs::create_dir_all(repository.join("objects/tmp_objdir-incoming-abc/pack")).unwrap();
    for lock in ["HEAD.lock", "refs/heads/main.lock", "packed-refs.lock", "objects/pack/tmp_pack_x"] {
        std::fs::write(repository.join(lock), "").unwrap();
    }
    platform.commit(&source, "two", b"2").await;
    let answer = platform.git("ann", &source, &["push", &url, "main"]).await;
    assert!(answer.ok, "{}", answer.text);
    platform.wait_until_clean("shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_the_app_ends_its_push() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    platform.fake.play(Script::Hang);
    let mut push = platform.push_start("ann", &source, &[&platform.url(Transport::Ssh, "ann", "shop"), "main"]);
    push.wait_for_line("Building").await;
    platform.git.repositories().remove(platform.fake.app("shop")).await.unwrap();
    assert!(!platform.repository("shop").exists());
    assert!(!push.end().await.ok);
    assert_eq!(*platform.fake.dropped.borrow(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_past_its_grace_cancels_the_push() {
    let mut platform = Platform::start_with(|settings| settings.shutdown_grace = Duration::from_millis(200)).await;
    let source = platform.source("work").await;
    platform.fake.play(Script::Hang);
    let mut push = platform.push_start("ann", &source, &[&platform.url(Transport::Http, "ann", "shop"), "main"]);
    push.wait_for_line("Building").await;
    platform.shutdown.cancel();
    assert!(!push.end().await.ok);
    assert_eq!(*platform.fake.dropped.borrow(), 1);
    for _ in 0..2 {
        platform.tasks.join_next().await.unwrap().unwrap();
    }
    assert_eq!(platform.server_ref("shop", "refs/heads/main").await, None);
    assert!(platform.leftovers("shop").is_empty());
}
