//! Several controllers with disks of their own, and the repositories in one bucket.

use std::sync::Arc;

use ambo_blobs::Bucket;
use ambo_gitreceive::{GitSettings, Repositories};
use futures::TryStreamExt;

use crate::platform::{BOTH, Fake, Platform, Script, Transport, wait_until};
use crate::relay::Relay;
use crate::servers::ObjectServer;

/// A controller with an empty disk.
async fn controller(fake: &Arc<Fake>, bucket: &Bucket) -> Platform {
    controller_with(fake, bucket, |_| {}).await
}

async fn controller_with(fake: &Arc<Fake>, bucket: &Bucket, change: impl FnOnce(&mut GitSettings)) -> Platform {
    let bucket = bucket.clone();
    Platform::start_beside(fake.clone(), |settings| {
        settings.bucket = Some(bucket);
        change(settings);
    })
    .await
}

/// The address of ann's app at a controller, over HTTP.
fn url(at: &Platform) -> String {
    at.url(Transport::Http, "ann", "shop")
}

/// Where `main` is for somebody who asks this controller.
async fn main_at(at: &Platform) -> String {
    let answer = at.git("ann", at.home.path(), &["ls-remote", &url(at), "refs/heads/main"]).await;
    assert!(answer.ok, "{}", answer.text);
    answer.out.split_whitespace().next().unwrap_or_default().to_owned()
}

async fn keys(bucket: &Bucket, prefix: &str) -> Vec<String> {
    bucket.list(prefix).map_ok(|listed| listed.key).try_collect().await.unwrap()
}

async fn survives_the_loss_of_a_disk(bucket: &Bucket) {
    for transport in BOTH {
        let fake = Arc::new(Fake::new());
        let first = controller(&fake, bucket).await;
        let source = first.source("work").await;
        let commit = first.commit(&source, "one", b"1").await;
        assert!(first.git("ann", &source, &["push", &first.url(transport, "ann", "shop"), "main"]).await.ok);
        drop(first);

        let second = controller(&fake, bucket).await;
        let home = second.home.path();
        let url = second.url(transport, "ann", "shop");
        let clone = second.git("ann", home, &["clone", "-q", &url, "copy"]).await;
        assert!(clone.ok, "{transport:?} {}", clone.text);
        let copy = home.join("copy");
        assert_eq!(second.git("ann", &copy, &["rev-parse", "HEAD"]).await.out, commit);
        assert_eq!(std::fs::read(copy.join("one")).unwrap(), b"1");
        let next = second.commit(&copy, "two", b"2").await;
        let push = second.git("ann", &copy, &["push", &url, "main"]).await;
        assert!(push.ok, "{transport:?} {}", push.text);
        assert_eq!(second.server_ref("shop", "refs/heads/main").await.as_ref(), Some(&next));

        let third = controller(&fake, bucket).await;
        assert_eq!(main_at(&third).await, next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_survives_the_loss_of_the_controllers_disk() {
    survives_the_loss_of_a_disk(&Bucket::in_memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_survives_the_loss_of_the_controllers_disk_with_object_stores() {
    for server in [ObjectServer::s3(), ObjectServer::azure()] {
        survives_the_loss_of_a_disk(&server.bucket()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_with_an_old_cache_catches_up() {
    let (fake, bucket) = (Arc::new(Fake::new()), Bucket::in_memory());
    let (one, two) = (controller(&fake, &bucket).await, controller(&fake, &bucket).await);
    let source = one.source("work").await;
    for round in 0..3 {
        for at in [&one, &two] {
            let commit = one.commit(&source, &format!("file-{round}"), at.http.to_string().as_bytes()).await;
            let push = one.git("ann", &source, &["push", &url(at), "main"]).await;
            assert!(push.ok, "{}", push.text);
            assert_eq!((main_at(&one).await, main_at(&two).await), (commit.clone(), commit));
        }
    }
    // By force to another past, and to the other branch, too.
    one.git("ann", &source, &["checkout", "-q", "--orphan", "other"]).await;
    let commit = one.commit(&source, "new", b"new").await;
    assert!(one.git("ann", &source, &["push", "--force", &url(&one), "other:master"]).await.ok);
    assert_eq!(main_at(&two).await, "");
    let clone = two.git("ann", two.home.path(), &["clone", "-q", &url(&two), "copy"]).await;
    assert!(clone.ok, "{}", clone.text);
    let copy = two.home.path().join("copy");
    assert_eq!(two.git("ann", &copy, &["rev-parse", "HEAD"]).await.out, commit);
    assert_eq!(two.git("ann", &copy, &["branch", "--show-current"]).await.out, "master");
}

async fn one_of_two_wins(bucket: &Bucket) {
    let fake = Arc::new(Fake::new());
    let (one, two) = (controller(&fake, bucket).await, controller(&fake, bucket).await);
    let source = one.source("work").await;
    assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    let slow = one.commit(&source, "slow", b"slow").await;
    fake.play(Script::Steps(vec!["       done".into()]));
    let mut slow_push = one.push_start("ann", &source, &[&url(&one), "main"]);
    slow_push.wait_for_line("Building").await;

    fake.play(Script::Accept);
    one.git("ann", &source, &["checkout", "-q", "-b", "fast", "HEAD~"]).await;
    let fast = one.commit(&source, "fast", b"fast").await;
    let push = one.git("ann", &source, &["push", &url(&two), "fast:main"]).await;
    assert!(push.ok, "{}", push.text);
    fake.steps.add_permits(1);
    let answer = slow_push.end().await;
    assert!(!answer.ok && answer.text.contains("[remote rejected] main -> main"), "{}", answer.text);
    let told = format!("'main' was moved to {} by another push at the same time, and yours is not kept.", &fast[..8]);
    assert!(answer.text.contains(&told), "{}", answer.text);
    assert!(answer.text.contains("Fetch first, then push again: git pull --rebase ambo main"), "{}", answer.text);
    assert_eq!((main_at(&one).await, main_at(&two).await), (fast.clone(), fast));
    one.wait_until_clean("shop").await;

    // As advised.
    one.git("ann", &source, &["checkout", "-q", "main"]).await;
    let pull = one.git("ann", &source, &["pull", "-q", "--rebase", &url(&one), "main"]).await;
    assert!(pull.ok, "{}", pull.text);
    let rebased = one.git("ann", &source, &["rev-parse", "HEAD"]).await.out;
    assert_ne!(rebased, slow);
    assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    assert_eq!(main_at(&two).await, rebased);
    // The pack of the push that lost is gone: one of each push that won is there.
    assert_eq!(keys(bucket, "packs").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_pushes_through_two_controllers_one_wins_and_the_other_is_told() {
    one_of_two_wins(&Bucket::in_memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_pushes_through_two_controllers_one_wins_with_object_stores() {
    for server in [ObjectServer::s3(), ObjectServer::azure()] {
        one_of_two_wins(&server.bucket()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_waits_hears_of_one_through_another_controller_before_it_builds() {
    let (fake, bucket) = (Arc::new(Fake::new()), Bucket::in_memory());
    let (one, two) = (controller(&fake, &bucket).await, controller(&fake, &bucket).await);
    let source = one.source("work").await;
    assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    fake.play(Script::Steps(vec!["       done".into()]));
    one.commit(&source, "first", b"1").await;
    let mut first = one.push_start("ann", &source, &[&url(&one), "main"]);
    first.wait_for_line("Building").await;
    let mut second = one.push_start("ann", &source, &[&url(&one), "HEAD:master"]);
    second.wait_for_line("Waiting").await;
    fake.play(Script::Accept);
    assert!(one.git("ann", &source, &["push", &url(&two), "HEAD:master"]).await.ok);
    let built = fake.received().len();
    fake.steps.add_permits(1);
    assert!(!first.end().await.ok);
    let second = second.end().await;
    assert!(!second.ok && second.text.contains("while you waited. Nothing was changed."), "{}", second.text);
    assert_eq!(fake.received().len(), built);
}

/// The controller is gone with its pack stored and its refs not moved.
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_dies_before_the_refs_move_leaves_the_old_ones() {
    let server = ObjectServer::s3();
    let bucket = server.bucket();
    let relay = Relay::to(&server).await;
    let fake = Arc::new(Fake::new());
    let doomed = controller(&fake, &relay.bucket(&server)).await;
    let heir = controller_with(&fake, &bucket, |settings| settings.packs_grace = std::time::Duration::ZERO).await;
    let source = heir.source("work").await;
    let old = heir.commit(&source, "old", b"old").await;
    assert!(heir.git("ann", &source, &["push", &url(&doomed), "main"]).await.ok);
    let lost = heir.commit(&source, "lost", b"lost").await;

    relay.hold("/refs/");
    let push = heir.push_start("ann", &source, &[&url(&doomed), "main"]);
    wait_until("a swap on its way", async || relay.held() == 1).await;
    assert_eq!(keys(&bucket, "packs").await.len(), 2, "the pack comes before the refs");
    drop((doomed, relay));
    assert!(!push.end().await.ok);

    assert_eq!(main_at(&heir).await, old);
    let again = heir.git("ann", &source, &["push", &url(&heir), "main"]).await;
    assert!(again.ok, "{}", again.text);
    assert_eq!(main_at(&heir).await, lost);
    let swept = async || {
        heir.git.repositories().maintain(fake.app("shop")).await.unwrap();
        keys(&bucket, "packs").await.len() == 2
    };
    wait_until("a sweep of what the dead one left", swept).await;
    let other = controller(&fake, &bucket).await;
    assert!(other.git("ann", other.home.path(), &["clone", "-q", &url(&other), "copy"]).await.ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_do_not_pile_up_and_are_removed_when_nobody_reads_them() {
    let (fake, bucket) = (Arc::new(Fake::new()), Bucket::in_memory());
    let few = |settings: &mut GitSettings| settings.packs_max = 4;
    let one = controller_with(&fake, &bucket, few).await;
    let two = controller_with(&fake, &bucket, |settings| {
        settings.packs_max = 4;
        settings.packs_grace = std::time::Duration::ZERO;
    })
    .await;
    let source = one.source("work").await;
    for n in 0..4 {
        one.commit(&source, &format!("file-{n}"), b"x").await;
        assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    }
    // Four that are one by now, and the one.
    wait_until("a pack of all", async || keys(&bucket, "packs").await.len() == 5).await;
    let app = fake.app("shop");
    let packed = async || {
        let (manifest, _) = bucket.look(&format!("refs/{app}.json")).await.unwrap().unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        manifest["packs"].as_array().unwrap().len() == 1
    };
    wait_until("refs that name it", packed).await;
    one.git.repositories().maintain(app).await.unwrap();
    assert_eq!(keys(&bucket, "packs").await.len(), 5, "somebody may still read the old ones");
    two.git.repositories().maintain(app).await.unwrap();
    assert_eq!(keys(&bucket, "packs").await.len(), 1);

    let commit = one.commit(&source, "more", b"x").await;
    assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    assert_eq!((main_at(&one).await, main_at(&two).await), (commit.clone(), commit.clone()));
    let count = two.git("ann", &two.repository("shop"), &["rev-list", "--count", "main"]).await.out;
    assert_eq!(count, "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_rejected_leaves_nothing_in_the_bucket() {
    let (fake, bucket) = (Arc::new(Fake::new()), Bucket::in_memory());
    let platform = controller(&fake, &bucket).await;
    let source = platform.source("work").await;
    fake.play(Script::Hang);
    let mut push = platform.push_start("ann", &source, &[&url(&platform), "main"]);
    push.wait_for_line("Building").await;
    assert_eq!(keys(&bucket, "packs").await.len(), 1, "it is there before anything is released");
    push.kill_all().await;
    platform.wait_until_clean("shop").await;
    fake.play(Script::Reject("The build failed.".into()));
    assert!(!platform.git("ann", &source, &["push", &url(&platform), "main"]).await.ok);
    // What the killed one left is a sweep's to remove.
    assert_eq!(keys(&bucket, "packs").await.len(), 1);
    assert_eq!(keys(&bucket, "refs").await.len(), 0);
    assert_eq!(main_at(&platform).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_the_time_before_the_bucket_moves_there() {
    let (fake, bucket) = (Arc::new(Fake::new()), Bucket::in_memory());
    let old = Platform::start_beside(fake.clone(), |settings| settings.bucket = None).await;
    let source = old.source("work").await;
    let commit = old.commit(&source, "old", b"old").await;
    assert!(old.git("ann", &source, &["push", &url(&old), "main"]).await.ok);

    let app = fake.app("shop");
    let settings = |name: &str| {
        let mut settings = GitSettings::new(&old.home.path().join(name), "/bin/true".into());
        settings.bucket = Some(bucket.clone());
        settings
    };
    let mut upgraded = settings("upgraded");
    upgraded.repositories = old.home.path().join("data/repos");
    let upgraded = Repositories::open(upgraded).await.unwrap();
    assert_eq!(upgraded.list().await.unwrap(), [app]);
    upgraded.tidy().await.unwrap();
    let elsewhere = Repositories::open(settings("elsewhere")).await.unwrap();
    assert_eq!(elsewhere.list().await.unwrap(), [app]);
    let fetched = elsewhere.fetch(app).await.unwrap().unwrap();
    assert_eq!(old.git("ann", fetched.path(), &["rev-parse", "main"]).await.out, commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_repository_is_gone_from_the_bucket_and_from_every_disk() {
    let (fake, bucket) = (Arc::new(Fake::new()), Bucket::in_memory());
    let (one, two) = (controller(&fake, &bucket).await, controller(&fake, &bucket).await);
    let source = one.source("work").await;
    assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    assert_eq!(main_at(&two).await, main_at(&one).await);
    one.git.repositories().remove(fake.app("shop")).await.unwrap();
    assert_eq!(keys(&bucket, "packs").await.len() + keys(&bucket, "refs").await.len(), 0);
    assert_eq!(main_at(&two).await, "", "an old cache does not shine through");
    assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    assert!(!main_at(&two).await.is_empty());

    one.git.repositories().remove(fake.app("shop")).await.unwrap();
    two.git.repositories().tidy().await.unwrap();
    assert!(!one.repository("shop").exists() && !two.repository("shop").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_into_the_directory_is_adopted_in_the_place_of_what_was_there() {
    let (fake, bucket) = (Arc::new(Fake::new()), Bucket::in_memory());
    let (one, two) = (controller(&fake, &bucket).await, controller(&fake, &bucket).await);
    let source = one.source("work").await;
    assert!(one.git("ann", &source, &["push", &url(&one), "main"]).await.ok);
    let app = fake.app("shop");
    let repositories = one.git.repositories();
    drop(repositories.fetch(app).await.unwrap().unwrap());
    let commit = one.commit(&source, "other", b"other").await;
    std::fs::remove_dir_all(one.repository("shop")).unwrap();
    let place = one.repository("shop");
    let arguments = ["clone", "-q", "--bare", &source.display().to_string(), &place.display().to_string()];
    assert!(one.git("ann", &source, &arguments).await.ok);
    repositories.adopt(app).await.unwrap();
    assert_eq!((main_at(&one).await, main_at(&two).await), (commit.clone(), commit));
    assert!(repositories.fetch(fake.app("blog")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_built_while_the_bucket_is_away() {
    let server = ObjectServer::s3();
    let fake = Arc::new(Fake::new());
    let platform = controller(&fake, &server.bucket()).await;
    let source = platform.source("work").await;
    assert!(platform.git("ann", &source, &["push", &url(&platform), "main"]).await.ok);
    drop(server);
    platform.commit(&source, "two", b"2").await;
    let pushes = BOTH.map(|transport| platform.url(transport, "ann", "shop"));
    let pushes = pushes.each_ref().map(|url| ["push", url, "main"]);
    let [http, ssh] = pushes.each_ref().map(|arguments| platform.git("ann", &source, arguments));
    let (http, ssh) = tokio::join!(http, ssh);
    for answer in [http, ssh] {
        assert!(!answer.ok && answer.text.contains("repositories cannot be reached right now"), "{}", answer.text);
    }
    assert_eq!(fake.received().len(), 1);
}
