//! Stores that do not do what they are asked.

use ambo_blobs::{BlobSettings, Bucket, Variables};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::servers::ObjectServer;

fn open(settings: &str, variables: &[(String, String)]) -> Bucket {
    let settings = BlobSettings::parse(settings).unwrap();
    Bucket::open(&settings, &Variables::from_pairs(variables.to_vec())).unwrap()
}

#[tokio::test]
async fn wrong_credentials_are_told_from_an_outage() {
    let server = ObjectServer::s3();
    let stranger = ("AWS_SECRET_ACCESS_KEY".to_owned(), "wrong".to_owned());
    let error = open(&server.settings, &[server.variables[0].clone(), stranger]).check().await.unwrap_err();
    assert!(error.is_refusal() && !error.is_full(), "{error:?}");
    server.bucket().check().await.unwrap();
}

#[tokio::test]
async fn a_missing_bucket_is_told_from_an_outage() {
    let server = ObjectServer::azure();
    let elsewhere = server.settings.replace("ambo-test", "nowhere");
    let error = open(&elsewhere, &server.variables).check().await.unwrap_err();
    assert!(error.is_refusal() && error.to_string().contains("azure://nowhere/some/prefix"), "{error:?}");
}

#[tokio::test]
async fn half_of_the_credentials_are_refused_before_anything_is_sent() {
    let settings = BlobSettings::parse("s3://bucket").unwrap();
    let half = [("AWS_ACCESS_KEY_ID".to_owned(), "key".to_owned())];
    let error = Bucket::open(&settings, &Variables::from_pairs(half)).unwrap_err();
    assert!(error.to_string().contains("AWS_SECRET_ACCESS_KEY"), "{error}");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let variables = Variables::from_pairs([("AWS_SECRET_ACCESS_KEY".to_owned(), "hunter2".to_owned())]);
    assert!(!format!("{variables:?}").contains("hunter2"));
}

/// Answers every request with the same head, and counts them.
async fn answering(head: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = tokio::task::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65_536];
            let _ = connection.read(&mut request).await.unwrap();
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, served)
}

#[tokio::test]
async fn a_full_store_says_so_at_once() {
    let (address, served) = answering("507 Insufficient Storage").await;
    let variables = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let bucket = open(&format!("s3://bucket?endpoint=http://{address}&allow_http=true"), &variables);
    let error = bucket.put("key", Bytes::from("x")).await.unwrap_err();
    assert!(error.is_full(), "{error:?}");
    served.abort();
}
