//! A full disk: a real one, a `tmpfs` of a few megabytes.

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambo_registry::{BlobStore, DiskBlobStore, Registry};
use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Method, StatusCode};

use crate::platform::{TestRegistry, image, sha256};

struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(at).status();
        let mounted = mounted.expect("`mount` is missing: install package `mount`");
        assert!(mounted.success(), "a small disk cannot be mounted: run this test as root (`sudo -E make test`)");
        Self(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_leaves_no_half_blob_and_is_recovered_from() {
    let mut test = TestRegistry::new();
    let root = test.directory.path().join("small");
    let _disk = SmallDisk::mount(&root);
    test.settings.uploads_directory = root.join("uploads");
    let store = Arc::new(DiskBlobStore::open(root.join("store")).unwrap());
    let kept = Arc::clone(&store);
    test.registry = Registry::new(store, Arc::clone(&test.platform) as _, test.settings.clone()).unwrap();

    let before = test.push_blob("myapp", &vec![1; 1_000_000]).await;
    let large = vec![2; 6_000_000];
    let path = format!("/v2/myapp/blobs/uploads/?digest={}", sha256(&large));
    let reply = test.ask(Method::POST, &path, &[], large.clone()).await;
    reply.expect_error(StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL");
    let upload = test.start_upload("myapp").await;
    let reply = test.ask(Method::PATCH, &upload, &[], large).await;
    reply.expect_error(StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL");
    test.get(&upload).await.expect(StatusCode::NOT_FOUND);

    // A client that sends all before it listens is told as well: the body is read to its end.
    let upload = test.start_upload("myapp").await;
    let left = Arc::new(AtomicUsize::new(20));
    let counted = Arc::clone(&left);
    let pieces = stream::repeat(Bytes::from(vec![4; 1_000_000])).take(20).inspect(move |_| {
        counted.fetch_sub(1, Ordering::SeqCst);
    });
    let reply = test.ask(Method::PATCH, &upload, &[], Body::from_stream(pieces.map(Ok::<_, Infallible>))).await;
    reply.expect_error(StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL");
    assert_eq!(left.load(Ordering::SeqCst), 0, "pieces left unread");
    assert!(test.files("uploads/").await.is_empty(), "{:?}", test.files("").await);
    assert_eq!(kept.list("blobs").count().await, 1);

    // Not even a link or a tag fits: the same answer, and nothing half-written.
    let filler = root.join("filler");
    let mut size = 4_000_000;
    while size > 0 {
        let more = vec![0; size];
        use std::io::Write;
        let mut file = std::fs::File::options().append(true).create(true).open(&filler).unwrap();
        if file.write_all(&more).is_err() {
            size /= 2;
        }
    }
    let manifest = image(&vec![1; 1_000_000]);
    let reply = test.ask(Method::POST, "/v2/myapp/blobs/uploads/", &[], Body::empty()).await;
    reply.expect_error(StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL");
    test.get(&format!("/v2/myapp/blobs/{before}")).await.expect(StatusCode::OK);

    std::fs::remove_file(filler).unwrap();
    test.push_blob("myapp", b"{}").await;
    test.put_manifest("myapp", "v1", &manifest).await.expect(StatusCode::CREATED);
    let next = test.push_blob("myapp", &vec![3; 1_000_000]).await;
    test.get(&format!("/v2/myapp/blobs/{next}")).await.expect(StatusCode::OK);
}
