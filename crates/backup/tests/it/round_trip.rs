//! What was backed up is what is restored.

use ambo_backup::{Archives, Backup, Lock, RestoreError, Stopped, Unlock, keys_peek, restore, verify};
use ambo_blobs::{BlobSettings, Bucket, Variables};
use ambo_registry::{Algorithm, Digest};
use ambo_store::Transaction;
use ambo_store::migrate::is_unfinished;
use ambo_testkit::MemoryStore;
use std::sync::Arc;

use crate::platform::{TestPlatform, backup, commit_make, content_key, git, lock, passphrase, refs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_of_many_apps_is_restored_as_it_was() {
    let from = TestPlatform::of_one_machine();
    from.keys_make();
    for number in 0..24 {
        from.app_make(1 + number % 4, 200_000).await;
    }
    let large = from.app_make(2, 3_000_000).await;
    git(&from.repository(large), &["tag", "-a", "v1", "-m", "a tag", "main"]);
    for thousand in 0..30 {
        let many = (0..90).fold(Transaction::new(), |all, at| {
            all.put(format!("many/{thousand}/{at}"), format!("{:?}", "x".repeat(500)))
        });
        from.store.commit(many).await.unwrap();
    }
    assert_eq!(from.faults().await, [""; 0]);
    let (archive, made, unlock) = from.backup().await;
    assert!(made.is_complete(), "{made:?}");
    let counted = made.contents;
    assert_eq!((counted.app_count, counted.release_count), (25, 62));
    assert_eq!((counted.image_count, counted.content_count, counted.repository_count), (62, 149, 25));
    assert_eq!(counted.key_count, 4);

    let (header, verified) = verify(std::io::Cursor::new(archive.clone()), unlock.clone()).await.unwrap();
    assert_eq!((header.platform.as_str(), &verified), ("0a1b2c3d-4e5f", &made));

    let to = TestPlatform::of_one_machine();
    let restored = to.restore(&archive, &unlock).await.unwrap();
    assert_eq!((restored.findings, restored.header), (made, header));
    assert_eq!(to.all().await, from.all().await);
    assert_eq!(to.faults().await, [""; 0]);
    assert!(!is_unfinished(&*to.store).await.unwrap());
    assert_eq!(git(&to.repository(large), &["cat-file", "-t", "v1"]), "tag");
    // What was restored can be pushed to, and backed up.
    commit_make(&to.repository(large), "after");
    to.release(large, 10).await;
    let (_, again, _) = to.backup().await;
    assert_eq!(again.contents.release_count, 63);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_platform_is_one_too() {
    let (from, to) = (TestPlatform::of_one_machine(), TestPlatform::of_one_machine());
    let (archive, made, unlock) = from.backup().await;
    assert_eq!(made.contents.state_count, 0);
    to.restore(&archive, &unlock).await.unwrap();
    assert!(to.all().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_kind_of_platform_had_another_kind_gets() {
    let from = TestPlatform::of_one_machine();
    from.keys_make();
    from.app_make(3, 2_000_000).await;
    let (archive, _, unlock) = from.backup().await;
    let there = TestPlatform::of_a_cluster(Arc::new(MemoryStore::default()), Bucket::in_memory());
    there.restore(&archive, &unlock).await.unwrap();
    assert_eq!(there.all().await, from.all().await);
    let (archive, _, unlock) = there.backup().await;
    let back = TestPlatform::of_one_machine();
    back.restore(&archive, &unlock).await.unwrap();
    assert_eq!(back.all().await, from.all().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_are_kept_in_a_directory_and_expire() {
    let scratch = tempfile::tempdir().unwrap();
    let settings = BlobSettings::Disk(scratch.path().to_owned());
    let archives = Archives::new(Bucket::open(&settings, &Variables::default()).unwrap());
    std::fs::write(scratch.path().join("notes.txt"), "somebody's").unwrap();
    let from = TestPlatform::of_one_machine();
    from.app_make(1, 1_500_000).await;
    let (unlock, recipient) = lock();
    for day in 1..=4 {
        let mut made = backup(from.sources(), recipient.clone());
        made.header.made_at = format!("2026-11-0{day}T03:00:00Z").parse().unwrap();
        let (listed, _) = archives.write(made).await.unwrap();
        assert_eq!(archives.list().await.unwrap().last(), Some(&listed));
    }
    // Another one of the same second takes no other's place.
    let mut made = backup(from.sources(), recipient);
    made.header.made_at = "2026-11-04T03:00:00Z".parse().unwrap();
    assert_eq!(archives.write(made).await.unwrap().0.name.to_string(), "ambo-0a1b2c3d-20261104T030001Z.ambo");
    assert_eq!(archives.list().await.unwrap().len(), 5);
    let retention = ambo_backup::Retention { keep_last: 2, keep_daily: 0, keep_weekly: 0 };
    assert_eq!(archives.expire(retention).await.unwrap().len(), 3);
    let left = archives.list().await.unwrap();
    let names: Vec<_> = left.iter().map(|listed| listed.name.to_string()).collect();
    assert_eq!(names, ["ambo-0a1b2c3d-20261104T030000Z.ambo", "ambo-0a1b2c3d-20261104T030001Z.ambo"]);
    assert!(scratch.path().join("notes.txt").exists());
    let to = TestPlatform::of_one_machine();
    let archive = archives.read(&left[0].name).await.unwrap();
    restore(archive, unlock, &to.targets()).await.unwrap();
    assert_eq!(to.all().await, from.all().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passphrase_opens_what_it_closed_and_a_wrong_one_says_so() {
    let from = TestPlatform::of_one_machine();
    from.app_make(1, 1000).await;
    let (_, recipient) = lock();
    let lock = Lock::Passphrase(passphrase("correct horse battery"));
    let mut archive = Vec::new();
    Backup { lock, ..backup(from.sources(), recipient) }.write_to(&mut archive).await.unwrap();
    assert!(archive.starts_with(b"age-encryption.org/v1\n"));
    let to = TestPlatform::of_one_machine();
    let wrong = to.restore(&archive, &Unlock::Passphrase(passphrase("incorrect horse"))).await;
    assert!(wrong.unwrap_err().to_string().contains("does not open"));
    assert!(to.all().await.is_empty(), "nothing was touched");
    to.restore(&archive, &Unlock::Passphrase(passphrase("correct horse battery"))).await.unwrap();
    assert_eq!(to.all().await, from.all().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_restored_over_something() {
    let from = TestPlatform::of_one_machine();
    from.keys_make();
    from.app_make(1, 1000).await;
    let (archive, _, unlock) = from.backup().await;
    for part in ["state", "registry", "repository", "master.key"] {
        let to = TestPlatform::of_one_machine();
        match part {
            "state" => drop(to.store.commit(Transaction::new().put("apps/1", "{}")).await.unwrap()),
            "registry" => {
                let key = content_key(&Digest::of(Algorithm::Sha256, b"x"));
                to.blobs.put(&key, "x".into()).await.unwrap();
            }
            "repository" => drop(commit_make(&to.repository(ambo_model::AppId::new()), "one")),
            _ => std::fs::write(to.directory.path().join(part), "another").unwrap(),
        }
        let before = to.all().await;
        let refused = to.restore(&archive, &unlock).await.unwrap_err();
        assert!(matches!(&refused, RestoreError::Taken(what) if what.contains(part)), "{part}: {refused}");
        assert_eq!(to.all().await, before, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_a_platform_has_no_use_for_are_named() {
    let from = TestPlatform::of_one_machine();
    from.keys_make();
    let (archive, _, unlock) = from.backup().await;
    let to = TestPlatform::of_one_machine();
    let known = ["master.key", "platform-id"].map(str::to_owned);
    let keys = ambo_backup::KeyFiles::new(to.directory.path(), known);
    let targets = ambo_backup::Targets { keys: Arc::new(keys), ..to.targets() };
    let restored = restore(std::io::Cursor::new(archive.clone()), unlock.clone(), &targets).await.unwrap();
    assert_eq!(restored.keys_left_out, ["tls/ca.crt", "tls/ca.key"]);
    // Whoever needs keys before a restore reads no further than they go.
    let (cut, unlock) = (archive[..archive.len() / 2].to_vec(), unlock);
    let (_, keys) = keys_peek(std::io::Cursor::new(archive), unlock.clone()).await.unwrap();
    assert_eq!(keys.keys().map(String::as_str).collect::<Vec<_>>(), crate::platform::KEYS);
    assert_eq!(keys["master.key"].as_slice(), b"the content of master.key");
    keys_peek(std::io::Cursor::new(cut), unlock).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_the_registry_lost_is_named_and_the_rest_is_kept() {
    let from = TestPlatform::of_one_machine();
    let app = from.app_make(1, 1000).await;
    let lost = from.image_push(app, b"lost".to_vec()).await;
    let damaged = from.image_push(app, b"damaged".to_vec()).await;
    let record = |image| serde_json::json!({ "number": 0, "image": image, "commit": "", "app": app }).to_string();
    let releases = Transaction::new().put(format!("releases/{app}/a"), record(&lost));
    from.store.commit(releases.put(format!("releases/{app}/b"), record(&damaged))).await.unwrap();
    let layer = |content: &[u8]| Digest::of(Algorithm::Sha256, content);
    from.blobs.delete(&content_key(&layer(b"lost"))).await.unwrap();
    from.blobs.put(&content_key(&layer(b"damaged")), "DAMAGED".into()).await.unwrap();
    let (archive, made, unlock) = from.backup().await;
    assert_eq!(made.damaged, [layer(b"damaged")]);
    let mut missing: Vec<_> = made.missing.iter().map(|missing| (&missing.image, &missing.lacks)).collect();
    missing.sort();
    let mut expected = [(&lost, &layer(b"lost")), (&damaged, &layer(b"damaged"))];
    expected.sort();
    assert_eq!(missing, expected);
    let to = TestPlatform::of_one_machine();
    assert_eq!(to.restore(&archive, &unlock).await.unwrap().findings, made);
    assert!(to.blobs.stat(&content_key(&layer(b"damaged"))).await.unwrap().is_none(), "so that a push brings it anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_does_not_run_can_be_backed_up() {
    let from = TestPlatform::of_one_machine();
    from.app_make(2, 1000).await;
    let (unlock, recipient) = lock();
    let sources = ambo_backup::Sources { hold: Arc::new(Stopped), ..from.sources() };
    let mut archive = Vec::new();
    backup(sources, recipient).write_to(&mut archive).await.unwrap();
    let to = TestPlatform::of_one_machine();
    to.restore(&archive, &unlock).await.unwrap();
    assert_eq!(to.faults().await, [""; 0]);
    assert!(!refs(&to.repository(to.repositories.list().await.unwrap()[0])).is_empty());
}
