use ambo_model::certificate::CertificateFacts;
use ambo_model::{AppId, CertificateId, Hostname, Secret, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use uuid::Uuid;

use super::inspect::{CertificateFault, inspect};
use super::serving::choose;
use super::*;

struct Issued {
    chain: String,
    key: String,
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, key()).unwrap()
}

fn issued(hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (Issued, CertifiedIssuer<'static, KeyPair>) {
    let (issuer, key) = (authority(), key());
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "shop");
    change(&mut params);
    let chain = params.signed_by(&key, &issuer).unwrap().pem();
    (Issued { chain, key: key.serialize_pem() }, issuer)
}

fn judge(chain: &str, key: &str) -> Result<CertificateFacts, CertificateFault> {
    inspect(chain, &Secret::new(key), Timestamp::now(), RootCertStore::empty())
}

#[test]
fn a_good_certificate_is_described() {
    let (issued, issuer) = issued(&["www.example.com", "*.example.org"], |_| {});
    let facts = judge(&format!("{}{}", issued.chain, issuer.pem()), &issued.key).unwrap();
    let hosts: Vec<&str> = facts.hosts.iter().map(Hostname::as_str).collect();
    assert_eq!(hosts, ["www.example.com", "*.example.org"]);
    assert_eq!((facts.subject.as_str(), facts.issuer.as_str()), ("CN=shop", "CN=authority"));
    assert!(!facts.is_self_signed && !facts.is_trusted);
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let facts = inspect(&issued.chain, &Secret::new(issued.key), Timestamp::now(), roots).unwrap();
    assert!(facts.is_trusted);
}

#[test]
fn each_fault_is_named() {
    let (good, issuer) = issued(&["www.example.com"], |_| {});
    let other = key().serialize_pem();
    let subject = "CN=shop".to_owned();
    assert_eq!(judge("", &good.key), Err(CertificateFault::ChainUnreadable));
    assert_eq!(judge("no PEM", &good.key), Err(CertificateFault::ChainUnreadable));
    assert_eq!(judge(&good.chain, "no key"), Err(CertificateFault::KeyUnreadable));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(judge(&good.chain, encrypted), Err(CertificateFault::KeyEncrypted));
    assert_eq!(judge(&good.chain, &other), Err(CertificateFault::KeyMismatch(subject.clone())));
    let reversed = format!("{}{}", issuer.pem(), good.chain);
    assert_eq!(judge(&reversed, &good.key), Err(CertificateFault::KeyMismatch("CN=authority".to_owned())));
    let stranger = format!("{}{}", good.chain, authority().pem());
    assert!(matches!(judge(&stranger, &good.key), Err(CertificateFault::ChainOrder { position: 1, .. })));
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(judge(damaged, &good.key), Err(CertificateFault::ChainDamaged(1)));
    assert_eq!(judge(&good.chain.repeat(20), &good.key), Err(CertificateFault::ChainTooLong));
    let (old, _) = issued(&["a.com"], |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let fault = judge(&old.chain, &old.key).unwrap_err();
    assert!(matches!(&fault, CertificateFault::Expired { .. }), "{fault}");
    assert!(fault.to_string().contains("expired at 2002-01-01T00:00:00Z"), "{fault}");
    let (young, _) = issued(&["a.com"], |params| params.not_before = rcgen::date_time_ymd(3000, 1, 1));
    assert!(matches!(judge(&young.chain, &young.key), Err(CertificateFault::NotYet { .. })));
    let (nameless, _) = issued(&[], |_| {});
    assert_eq!(judge(&nameless.chain, &nameless.key), Err(CertificateFault::NoHosts(subject)));
}

fn certificate(hosts: &[&str], days: i64) -> Certificate {
    let now = Timestamp::now();
    let facts = CertificateFacts {
        hosts: hosts.iter().map(|host| Hostname::parse(host).unwrap()).collect(),
        subject: String::new(),
        issuer: String::new(),
        starts_at: now,
        expires_at: Timestamp::from_second(now.as_second() + days * 24 * 60 * 60).unwrap(),
        is_self_signed: false,
        is_trusted: false,
    };
    let (id, app) = (CertificateId::new(), AppId::new());
    Certificate { id, app, name: "a".into(), chain: String::new(), facts, created_at: now, updated_at: now }
}

#[test]
fn a_domain_is_served_with_what_was_chosen_or_else_the_best() {
    let now = Timestamp::now();
    let all = [
        certificate(&["*.example.com"], 300),
        certificate(&["www.example.com"], -1),
        certificate(&["www.example.com"], 10),
        certificate(&["www.example.com"], 20),
        certificate(&["example.net"], 500),
    ];
    let domain = |chosen: Option<usize>| Domain {
        id: Uuid::now_v7(),
        hostname: Hostname::parse("www.example.com").unwrap(),
        app: AppId::new(),
        certificate: chosen.map(|index| all[index].id),
        created_at: now,
    };
    let served =
        |chosen, certificates: &[Certificate]| choose(&domain(chosen), certificates, now).map(|found| found.id);
    assert_eq!(served(None, &all), Some(all[3].id));
    assert_eq!(served(Some(0), &all), Some(all[0].id));
    // What was chosen has been replaced by one for other hosts.
    assert_eq!(served(Some(4), &all), Some(all[3].id));
    // An expired one is better than one for another host.
    assert_eq!(served(None, &all[1..2]), Some(all[1].id));
    assert_eq!(served(None, &all[4..]), None);
}
