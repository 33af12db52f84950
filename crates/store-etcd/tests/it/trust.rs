//! TLS and authentication.

use ambo_model::Secret;
use ambo_store::{Store, StoreError, Transaction};
use ambo_store_etcd::{EtcdStore, EtcdTls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::etcd::Etcd;
use ambo_store::contract::within_deadline;

/// An authority's root, and a certificate with its key for the loopback that it issued.
fn certificates() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (root, leaf.pem(), key.serialize_pem())
}

#[tokio::test]
async fn members_and_clients_know_each_other_by_their_certificates() {
    let files = tempfile::tempdir().unwrap();
    let (root, chain, key) = certificates();
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let flags = [
        "--trusted-ca-file".to_owned(),
        write("ca.crt", &root),
        "--cert-file".to_owned(),
        write("node.crt", &chain),
        "--key-file".to_owned(),
        write("node.key", &key),
        "--client-cert-auth".to_owned(),
    ];
    let etcd = Etcd::with(1, "https", &flags);
    let mut settings = etcd.settings(0);
    settings.tls = Some(EtcdTls { root, identity: Some((chain.clone(), Secret::new(key.clone()))) });
    let store = EtcdStore::new(settings.clone());
    within_deadline(async { while store.commit(Transaction::new().put("a", "1")).await.is_err() {} }).await;

    let (strange_root, ..) = certificates();
    settings.tls = Some(EtcdTls { root: strange_root, identity: Some((chain, Secret::new(key))) });
    let refused = EtcdStore::new(settings.clone()).get("a").await;
    assert!(matches!(refused, Err(StoreError::Backend { .. })), "an authority that we do not know: {refused:?}");
    settings.tls = None;
    assert!(EtcdStore::new(settings).get("a").await.is_err(), "no certificate");
}

#[tokio::test]
async fn a_user_logs_in_and_a_wrong_password_is_an_error_that_says_so() {
    let etcd = Etcd::of(1);
    for words in [
        vec!["user", "add", "root:secret"],
        vec!["user", "grant-role", "root", "root"],
        vec!["user", "add", "ambo:word"],
        vec!["role", "add", "ambo"],
        vec!["role", "grant-permission", "ambo", "readwrite", "ambo/", "ambo0"],
        vec!["user", "grant-role", "ambo", "ambo"],
        vec!["auth", "enable"],
    ] {
        let (said, done) = etcd.etcdctl(&words, 0);
        assert!(done || words[0] == "role", "{words:?}: {said}");
    }
    let mut settings = etcd.settings(0);
    settings.user = Some(("ambo".to_owned(), Secret::new("word".to_owned())));
    let store = EtcdStore::new(settings.clone());
    store.commit(Transaction::new().absent("a").put("a", "1")).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "1");

    settings.user = Some(("ambo".to_owned(), Secret::new("wrong".to_owned())));
    let refused = EtcdStore::new(settings).get("a").await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("authentication failed"), "{cause}");
}
