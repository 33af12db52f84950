//! HTTPS.

use std::net::SocketAddr;
use std::sync::Arc;

use ambo_model::Hostname;
use ambo_router::{Certificate, CertificateError, RouterSettings};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::stage::{Client, Instance, LOCAL, Stage, ok, route, settings, table};

/// A self-signed certificate, for the server and for the client to trust.
fn certificate(host: &str) -> (Certificate, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    let hosts = vec![Hostname::parse(host).unwrap()];
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    (Certificate::from_pem(hosts, chain.as_bytes(), key.as_bytes()).unwrap(), made.cert.der().clone())
}

/// Connects as a client that trusts exactly that certificate.
async fn connect(
    address: SocketAddr,
    name: &str,
    trusted: &CertificateDer<'static>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

async fn staged(default: Certificate) -> (Stage, Instance) {
    let instance = Instance::answering(|request| ok(&request.head)).await;
    let stage = Stage::with(RouterSettings { https: vec![LOCAL], ..settings() }, Some(default));
    stage.handle.publish(table(vec![route("app", vec![instance.target("1")])]));
    (stage, instance)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_chosen_by_name_and_can_be_replaced_while_running() {
    let (fallback, fallback_der) = certificate("fallback.localhost");
    let (stage, _instance) = staged(fallback).await;
    let (own, own_der) = certificate("app.localhost");
    let (wild, wild_der) = certificate("*.example.com");
    assert!(connect(stage.https, "app.localhost", &own_der, &[]).await.is_err(), "not published yet");
    stage.handle.certificates_publish(vec![own, wild]);
    connect(stage.https, "app.localhost", &own_der, &[]).await.unwrap();
    connect(stage.https, "www.example.com", &wild_der, &[]).await.unwrap();
    connect(stage.https, "fallback.localhost", &fallback_der, &[]).await.unwrap();
    stage.handle.certificates_publish(Vec::new());
    assert!(connect(stage.https, "app.localhost", &own_der, &[]).await.is_err(), "the default is for another name");
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_by_alpn_and_many_requests_share_a_connection() {
    let (own, der) = certificate("app.localhost");
    let (stage, _instance) = staged(own).await;
    let stream = connect(stage.https, "app.localhost", &der, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let requests = (0..50).map(|n| {
        let mut sender = sender.clone();
        async move {
            let request = http::Request::post(format!("https://app.localhost/{n}"))
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .body(Full::new(Bytes::from("body")))
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let head = String::from_utf8(body.to_vec()).unwrap();
            assert!(head.starts_with(&format!("POST /{n} HTTP/1.1\r\n")), "{head}");
            assert!(
                head.contains("host: app.localhost\r\n") && head.contains("x-forwarded-proto: https\r\n"),
                "{head}"
            );
            assert!(head.contains("cookie: a=1; b=2\r\n"), "{head}");
        }
    });
    futures::future::join_all(requests).await;
    let record = stage.record(|record| record.status == 200).await;
    assert!(record.text().ends_with(" protocol=https"), "{}", record.text());
    drop(sender);
    connection.abort();
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http1_is_spoken_over_tls_too() {
    let (own, der) = certificate("app.localhost");
    let (stage, _instance) = staged(own).await;
    let stream = connect(stage.https, "app.localhost", &der, &[b"http/1.1"]).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..3 {
        let request = http::Request::get("/").header("host", "app.localhost").body(Full::new(Bytes::new())).unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("x-forwarded-proto: https"));
    }
    drop(sender);
    connection.abort();
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_the_tls_port_harms_nobody() {
    let (own, der) = certificate("app.localhost");
    let (stage, _instance) = staged(own).await;
    let mut plain = Client::connect(stage.https).await;
    plain.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(plain.message().await.is_none());
    connect(stage.https, "app.localhost", &der, &[]).await.unwrap();
    stage.stopped().await;
}

#[test]
fn a_key_that_belongs_to_another_certificate_is_refused() {
    let one = rcgen::generate_simple_self_signed(vec!["a.localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["b.localhost".to_owned()]).unwrap();
    let mixed =
        Certificate::from_pem(Vec::new(), one.cert.pem().as_bytes(), other.signing_key.serialize_pem().as_bytes());
    assert!(matches!(mixed, Err(CertificateError::Mismatch(_))), "{mixed:?}");
    let empty = Certificate::from_pem(Vec::new(), b"", one.signing_key.serialize_pem().as_bytes());
    assert!(matches!(empty, Err(CertificateError::ChainEmpty)));
    assert!(matches!(
        Certificate::from_pem(Vec::new(), one.cert.pem().as_bytes(), b"nonsense"),
        Err(CertificateError::Key(_))
    ));
}
