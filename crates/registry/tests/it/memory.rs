//! Memory stays flat, whatever the size of an image.

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest as _, Sha256};

use crate::platform::{OWNER, PASSWORD, TestRegistry, basic};

const BLOB_BYTES: usize = 256 * 1024 * 1024;
const PIECE_BYTES: usize = 64 * 1024;
/// Server and client together, their buffers and threads included; over an object store also the parts on their way.
const GROWTH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The most memory that this process ever had resident, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn piece(number: usize) -> Bytes {
    let mut piece = vec![(number % 251) as u8; PIECE_BYTES];
    piece[..8].copy_from_slice(&number.to_le_bytes());
    Bytes::from(piece)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat_while_a_large_blob_is_pushed_and_pulled() {
    let test = TestRegistry::new();
    let server = test.serve().await;
    let pieces = BLOB_BYTES / PIECE_BYTES;
    let mut hasher = Sha256::new();
    (0..pieces).for_each(|number| hasher.update(piece(number)));
    let digest = format!("sha256:{}", hex::encode(hasher.finalize()));

    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let ask = |method: Method, path: String, body: Body| {
        let uri = format!("http://{}{path}", server.address);
        let request = Request::builder().method(method).uri(uri).header("authorization", basic(OWNER, PASSWORD));
        client.request(request.body(body).unwrap())
    };
    // Connections, threads and buffers that every request needs are not what is measured.
    assert_eq!(ask(Method::GET, "/v2/".into(), Body::empty()).await.unwrap().status(), StatusCode::OK);
    let before = peak();

    let start = ask(Method::POST, "/v2/myapp/blobs/uploads/".into(), Body::empty()).await.unwrap();
    let upload = start.headers()["location"].to_str().unwrap().to_owned();
    let stream = futures::stream::iter(0..pieces).map(|number| Ok::<_, std::io::Error>(piece(number)));
    let begun = std::time::Instant::now();
    let pushed = ask(Method::PATCH, upload.clone(), Body::from_stream(stream)).await.unwrap();
    assert_eq!(pushed.status(), StatusCode::ACCEPTED);
    let finished = ask(Method::PUT, format!("{upload}?digest={digest}"), Body::empty()).await.unwrap();
    assert_eq!(finished.status(), StatusCode::CREATED);
    let push_seconds = begun.elapsed().as_secs_f64();

    let begun = std::time::Instant::now();
    let mut body = ask(Method::GET, format!("/v2/myapp/blobs/{digest}"), Body::empty()).await.unwrap().into_body();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        size += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    assert_eq!(size, BLOB_BYTES);
    let pull_seconds = begun.elapsed().as_secs_f64();
    let growth = peak() - before;
    println!(
        "256 MiB: memory grew by {:.1} MiB, pushed in {push_seconds:.2} s, pulled in {pull_seconds:.2} s",
        growth as f64 / 1048576.0
    );
    assert!(growth < GROWTH_BYTES_MAX, "memory grew by {growth} bytes");
}
