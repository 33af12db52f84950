//! Archives that are not what was written, and restores that are interrupted.

use ambo_backup::{ReadError, RestoreError, Unlock, verify};
use ambo_store::migrate::is_unfinished;

use crate::platform::TestPlatform;

async fn verified(archive: &[u8], unlock: &Unlock) -> Result<(), ReadError> {
    verify(std::io::Cursor::new(archive.to_vec()), unlock.clone()).await.map(drop)
}

async fn made() -> (TestPlatform, Vec<u8>, Unlock) {
    let from = TestPlatform::of_one_machine();
    from.keys_make();
    for _ in 0..3 {
        from.app_make(2, 150_000).await;
    }
    let (archive, _, unlock) = from.backup().await;
    (from, archive, unlock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_fell_over_anywhere_is_noticed() {
    let (_, archive, unlock) = made().await;
    verified(&archive, &unlock).await.unwrap();
    for part in 0..200 {
        let mut damaged = archive.clone();
        let at = part * archive.len() / 200;
        damaged[at] ^= 1 << (part % 8);
        verified(&damaged, &unlock).await.expect_err(&format!("byte {at} of {}", archive.len()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_ends_too_early_is_noticed_wherever_it_does() {
    let (_, archive, unlock) = made().await;
    let ends = (0..100).map(|part| part * archive.len() / 100).chain([archive.len() - 1, archive.len() - 16]);
    for end in ends {
        let error = verified(&archive[..end], &unlock).await.unwrap_err();
        assert!(!matches!(error, ReadError::Source(_)), "{end}: {error}");
    }
    let longer = [&archive[..], b"more"].concat();
    verified(&longer, &unlock).await.unwrap_err();
    let another = [&archive[..], &archive[..]].concat();
    verified(&another, &unlock).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_interrupted_anywhere_is_begun_again() {
    let (from, archive, unlock) = made().await;
    // With less than that no entry is whole.
    for part in [3, 5, 7, 9] {
        let to = TestPlatform::of_one_machine();
        let cut = to.restore(&archive[..part * archive.len() / 10], &unlock).await.unwrap_err();
        assert!(matches!(cut, RestoreError::Archive(ReadError::Damaged { .. })), "{cut}");
        assert!(is_unfinished(&*to.store).await.unwrap(), "no platform starts on it");
        to.restore(&archive, &unlock).await.unwrap();
        assert!(!is_unfinished(&*to.store).await.unwrap());
        assert_eq!(to.all().await, from.all().await, "after {part} tenths");
    }
}
