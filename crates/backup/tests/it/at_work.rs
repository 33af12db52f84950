//! Backups of a platform that goes on: deploys come, removals wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ambo_backup::verify;
use tokio::io::AsyncReadExt;

use crate::platform::{TestPlatform, backup, lock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_release_of_an_archive_has_its_image_and_its_source() {
    let from = Arc::new(TestPlatform::of_one_machine());
    let mut apps = Vec::new();
    for _ in 0..4 {
        apps.push(from.app_make(1, 50_000).await);
    }
    let (stop, released) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let deploys = {
        let (from, stop, released) = (from.clone(), stop.clone(), released.clone());
        tokio::spawn(async move {
            for app in apps.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                from.release(*app, 50_000).await;
                released.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    for _ in 0..4 {
        let before = released.load(Ordering::Relaxed);
        while released.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        let (archive, made, unlock) = from.backup().await;
        assert!(made.is_complete(), "{made:?}");
        let to = TestPlatform::of_one_machine();
        to.restore(&archive, &unlock).await.unwrap();
        assert_eq!(to.faults().await, [""; 0]);
    }
    stop.store(true, Ordering::Relaxed);
    deploys.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_removed_while_an_archive_is_written() {
    let from = TestPlatform::of_one_machine();
    from.app_make(4, 4_000_000).await;
    let (unlock, recipient) = lock();
    let (mut out, mut archive) = tokio::io::duplex(1024);
    let backup = backup(from.sources(), recipient);
    let writing = tokio::spawn(async move { backup.write_to(&mut out).await });
    // Nobody reads the archive yet, so that the backup cannot come to its end.
    while from.removals.try_write().is_ok() {
        tokio::task::yield_now().await;
    }
    let mut read = vec![0; 1_000_000];
    archive.read_exact(&mut read).await.unwrap();
    assert!(from.removals.try_write().is_err(), "most of it is still to be written");
    archive.read_to_end(&mut read).await.unwrap();
    writing.await.unwrap().unwrap();
    assert!(from.removals.try_write().is_ok());
    let (_, findings) = verify(std::io::Cursor::new(read), unlock).await.unwrap();
    assert!(findings.is_complete());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_given_up_lets_the_platform_go_on() {
    let from = TestPlatform::of_one_machine();
    from.app_make(3, 3_000_000).await;
    let (out, archive) = tokio::io::duplex(1024);
    let (_, recipient) = lock();
    let backup = backup(from.sources(), recipient);
    let writing = tokio::spawn(async move {
        let mut out = out;
        backup.write_to(&mut out).await
    });
    while from.removals.try_write().is_ok() {
        tokio::task::yield_now().await;
    }
    drop(archive);
    writing.await.unwrap().unwrap_err();
    assert!(from.removals.try_write().is_ok());
}
