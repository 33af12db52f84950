//! What a bucket does, whatever keeps it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ambo_blobs::{BlobSettings, Bucket, PART_BYTES, Variables};
use ambo_model::Timestamp;
use bytes::Bytes;
use futures::{Stream, TryStreamExt};

use crate::servers::ObjectServer;

async fn keys(bucket: &Bucket, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> = bucket.list(prefix).map_ok(|listed| listed.key).try_collect().await.unwrap();
    keys.sort();
    keys
}

fn disk(directory: &Path) -> Bucket {
    let settings = BlobSettings::Disk(directory.join("bucket"));
    Bucket::open(&settings, &Variables::default()).unwrap()
}

fn far_future() -> Timestamp {
    Timestamp::now().checked_add(Duration::from_secs(3600)).unwrap()
}

async fn keeps_objects(bucket: &Bucket) {
    assert_eq!(bucket.get("a/b").await.unwrap(), None);
    for (key, content) in [("a/b", "1"), ("a/b", "22"), ("a/c/d", "3"), ("ab/x", "4")] {
        bucket.put(key, Bytes::from(content)).await.unwrap();
    }
    assert_eq!(bucket.get("a/b").await.unwrap().unwrap(), "22");
    let stat = bucket.stat("a/b").await.unwrap().unwrap();
    assert_eq!((stat.key.as_str(), stat.size), ("a/b", 2));
    assert!(Timestamp::now().duration_since(stat.modified).unsigned_abs() < Duration::from_secs(60));
    assert_eq!(bucket.stat("a/none").await.unwrap(), None);
    assert_eq!(keys(bucket, "a").await, ["a/b", "a/c/d"]);
    let below = bucket.below("a");
    assert_eq!(below.get("c/d").await.unwrap().unwrap(), "3");
    assert_eq!(keys(&below, "c").await, ["c/d"]);
    bucket.delete("a/b").await.unwrap();
    bucket.delete("a/b").await.unwrap();
    assert_eq!(bucket.get("a/b").await.unwrap(), None);
    assert_eq!(bucket.delete_below("a").await.unwrap(), 1);
    assert_eq!(keys(bucket, "a").await, Vec::<String>::new());
    assert_eq!(bucket.get("ab/x").await.unwrap().unwrap(), "4");
}

async fn keeps_files(bucket: &Bucket, scratch: &Path) {
    let (from, to) = (scratch.join("from"), scratch.join("to"));
    for size in [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 12_345] {
        let content: Vec<u8> = (0..size).map(|number| (number % 251) as u8).collect();
        std::fs::write(&from, &content).unwrap();
        assert_eq!(bucket.put_file("files/one", &from).await.unwrap(), size);
        assert_eq!(bucket.get_file("files/one", &to).await.unwrap(), Some(size));
        assert!(std::fs::read(&to).unwrap() == content, "{size} bytes came back changed");
        let middle = size / 2..size - size / 4;
        let pieces: Vec<Bytes> =
            bucket.read("files/one", middle.clone()).await.unwrap().unwrap().try_collect().await.unwrap();
        assert!(pieces.concat() == content[middle.start as usize..middle.end as usize]);
    }
    assert!(from.exists());
    assert_eq!(bucket.get_file("files/none", &to).await.unwrap(), None);
    assert!(bucket.read("files/none", 0..1).await.unwrap().is_none());
    assert!(bucket.read("files/none", 0..0).await.unwrap().is_none());
    assert_eq!(bucket.tidy(far_future()).await.unwrap(), 0, "every file was finished");
    bucket.put_file("files/two", &scratch.join("missing")).await.unwrap_err();
    assert_eq!(keys(bucket, "files").await, ["files/one"]);
    bucket.delete("files/one").await.unwrap();
}

/// Pieces of odd sizes, and `end` after them.
fn stream(content: &[u8], end: Option<std::io::Error>) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin {
    let pieces: Vec<_> = content.chunks(1_000_003).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures::stream::iter(pieces.into_iter().chain(end.map(Err)))
}

async fn keeps_streams(bucket: &Bucket) {
    for size in [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 12_345] {
        let content: Vec<u8> = (0..size).map(|number| (number % 251) as u8).collect();
        assert_eq!(bucket.put_stream("stream", stream(&content, None)).await.unwrap(), size);
        assert!(bucket.get("stream").await.unwrap().unwrap() == content, "{size} bytes came back changed");
        let broken = stream(&content, Some(std::io::Error::other("given up")));
        bucket.put_stream("stream", broken).await.unwrap_err();
        assert!(bucket.get("stream").await.unwrap().unwrap() == content, "half a stream took a whole one's place");
    }
    assert_eq!(bucket.tidy(far_future()).await.unwrap(), 0, "every stream was finished or given up");
    assert!(keys(bucket, "").await.contains(&"stream".to_owned()));
    bucket.delete("stream").await.unwrap();
}

async fn swaps(bucket: &Bucket) {
    assert!(bucket.swap("pointer", None, Bytes::from("1")).await.unwrap());
    assert!(!bucket.swap("pointer", None, Bytes::from("2")).await.unwrap());
    // Ours already, as after an answer that was lost.
    assert!(bucket.swap("pointer", None, Bytes::from("1")).await.unwrap());
    let (content, seen) = bucket.look("pointer").await.unwrap().unwrap();
    assert_eq!(content, "1");
    assert!(bucket.swap("pointer", Some(&seen), Bytes::from("3")).await.unwrap());
    assert!(!bucket.swap("pointer", Some(&seen), Bytes::from("4")).await.unwrap(), "a late writer");
    assert_eq!(bucket.get("pointer").await.unwrap().unwrap(), "3");
    bucket.delete("pointer").await.unwrap();
    assert!(!bucket.swap("pointer", Some(&seen), Bytes::from("5")).await.unwrap(), "what is gone is not what was seen");
    assert_eq!(bucket.get("pointer").await.unwrap(), None);
    bucket.check().await.unwrap();
    assert_eq!(keys(bucket, "check").await, Vec::<String>::new());
}

/// More objects than fit a page of any store.
async fn lists_in_pages(bucket: &Bucket) {
    const COUNT: usize = 2_100;
    let put = |number: usize| async move { bucket.put(&format!("many/{number:05}"), Bytes::from("x")).await };
    let puts = futures::stream::iter((0..COUNT).map(|number| Ok(put(number))));
    puts.try_buffer_unordered(32).try_for_each(|()| async { Ok(()) }).await.unwrap();
    let listed: BTreeSet<String> = keys(bucket, "many").await.into_iter().collect();
    assert_eq!(listed.len(), COUNT);
    assert_eq!(bucket.delete_below("many").await.unwrap(), COUNT as u64);
}

/// A writer whose future is dropped in the middle, as by the death of its process.
async fn gives_up_what_a_dead_writer_left(bucket: &Bucket, scratch: &Path) {
    let from = scratch.join("large");
    let file = std::fs::File::create(&from).unwrap();
    file.set_len(16 * PART_BYTES).unwrap();
    {
        let mut writing = Box::pin(bucket.put_file("files/large", &from));
        let noted = async {
            while keys(bucket, "unfinished").await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            written = &mut writing => panic!("finished before anybody could look: {written:?}"),
            () = noted => {}
        }
    }
    assert_eq!(bucket.tidy(Timestamp::now().checked_sub(Duration::from_secs(60)).unwrap()).await.unwrap(), 0);
    assert_eq!(bucket.tidy(far_future()).await.unwrap(), 1);
    assert_eq!(keys(bucket, "unfinished").await, Vec::<String>::new());
    assert_eq!(bucket.get("files/large").await.unwrap(), None);
}

#[tokio::test]
async fn a_directory_keeps_objects_and_files() {
    let scratch = tempfile::tempdir().unwrap();
    let bucket = disk(scratch.path());
    keeps_objects(&bucket).await;
    keeps_files(&bucket, scratch.path()).await;
    keeps_streams(&bucket).await;
}

#[tokio::test]
async fn a_directory_is_no_place_for_what_many_write() {
    let scratch = tempfile::tempdir().unwrap();
    assert!(disk(scratch.path()).check().await.unwrap_err().is_refusal());
}

#[tokio::test]
async fn memory_is_a_bucket() {
    let scratch = tempfile::tempdir().unwrap();
    let bucket = Bucket::in_memory();
    keeps_objects(&bucket).await;
    keeps_files(&bucket, scratch.path()).await;
    keeps_streams(&bucket).await;
    swaps(&bucket).await;
    lists_in_pages(&bucket).await;
}

#[tokio::test]
async fn an_s3_server_is_a_bucket() {
    let server = ObjectServer::s3();
    let (bucket, scratch) = (server.bucket(), tempfile::tempdir().unwrap());
    keeps_objects(&bucket).await;
    keeps_files(&bucket, scratch.path()).await;
    keeps_streams(&bucket).await;
    swaps(&bucket).await;
    gives_up_what_a_dead_writer_left(&bucket, scratch.path()).await;
    lists_in_pages(&bucket).await;
    let parts = std::fs::read_dir(server.scratch.path()).unwrap();
    let parts = parts.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("upload"));
    assert_eq!(parts.count(), 0, "parts of unfinished files are left in the store");
}

#[tokio::test]
async fn an_azure_server_is_a_bucket() {
    let server = ObjectServer::azure();
    let (bucket, scratch) = (server.bucket(), tempfile::tempdir().unwrap());
    keeps_objects(&bucket).await;
    keeps_files(&bucket, scratch.path()).await;
    keeps_streams(&bucket).await;
    swaps(&bucket).await;
    gives_up_what_a_dead_writer_left(&bucket, scratch.path()).await;
    lists_in_pages(&bucket).await;
}
