//! Reads what somebody hands in as certificate and key, and says what is wrong with it. Pure but for the roots it is given.

use std::sync::Arc;

use ambo_model::certificate::CertificateFacts;
use ambo_model::{Hostname, Secret, Timestamp};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Longest chain, in bytes.
const CHAIN_BYTES_MAX: usize = 64 * 1024;
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 32 * 1024;
/// Most certificates of a chain.
const CHAIN_LENGTH_MAX: usize = 10;
/// Most hosts of a certificate that are kept.
const HOSTS_MAX: usize = 200;

/// What is wrong with a certificate or its key. Each names the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It is no PEM, or holds no certificate.
    #[error(
        "`certificate_chain`: no certificate can be read from it: give it in PEM form, the app's own certificate first"
    )]
    ChainUnreadable,
    /// One of the chain is none.
    #[error("`certificate_chain`: certificate {0} of the chain cannot be read: it is cut off or damaged")]
    ChainDamaged(usize),
    /// More than any chain needs.
    #[error(
        "`certificate_chain`: it is longer than any chain needs: give the app's own certificate and its intermediates"
    )]
    ChainTooLong,
    /// The next certificate did not issue this one.
    #[error(
        "`certificate_chain`: certificate {position} (`{subject}`) was not issued by the one after it (`{next}`): put the app's \
         own certificate first, then each one's issuer"
    )]
    ChainOrder {
        /// Counted from 1.
        position: usize,
        /// Whose certificate it is.
        subject: String,
        /// Whose the next one is.
        next: String,
    },
    /// It is no PEM, or holds no private key.
    #[error("`private_key`: no private key can be read from it: give it in PEM form")]
    KeyUnreadable,
    /// It has a passphrase.
    #[error("`private_key`: the key is encrypted: take its passphrase off with `openssl pkey -in KEY -out KEY.plain`")]
    KeyEncrypted,
    /// It is another certificate's key.
    #[error("`private_key`: the key does not belong to the certificate of `{0}`: give the key that it was issued for")]
    KeyMismatch(String),
    /// It is of no use any more.
    #[error("`certificate_chain`: the certificate of `{subject}` expired at {at}: have a new one issued")]
    Expired {
        /// Whose.
        subject: String,
        /// When.
        at: Timestamp,
    },
    /// It is of no use yet.
    #[error("`certificate_chain`: the certificate of `{subject}` is good from {at} on only: add it then")]
    NotYet {
        /// Whose.
        subject: String,
        /// From when.
        at: Timestamp,
    },
    /// Clients would take it for no host.
    #[error(
        "`certificate_chain`: the certificate of `{0}` names no host as a subject alternative name, which is where clients \
         look: have it issued with one, as in `-addext subjectAltName=DNS:www.example.com`"
    )]
    NoHosts(String),
}

/// Reads a chain and its key; says what they are, or what is wrong.
pub(crate) fn inspect(
    chain: &str,
    key: &Secret,
    now: Timestamp,
    roots: RootCertStore,
) -> Result<CertificateFacts, CertificateFault> {
    let ders = chain_read(chain)?;
    let certificates = ders
        .iter()
        .zip(1..)
        .map(|(der, position)| match X509Certificate::from_der(der) {
            Ok((_, certificate)) => Ok(certificate),
            Err(_) => Err(CertificateFault::ChainDamaged(position)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let own = certificates.first().ok_or(CertificateFault::ChainUnreadable)?;
    let subject = own.subject().to_string();
    key_check(key, &ders, &subject)?;
    let (starts_at, expires_at) = dates(own)?;
    if expires_at <= now {
        return Err(CertificateFault::Expired { subject, at: expires_at });
    }
    if starts_at > now {
        return Err(CertificateFault::NotYet { subject, at: starts_at });
    }
    order_check(&certificates)?;
    let hosts = hosts(own);
    let Some(first) = hosts.first() else { return Err(CertificateFault::NoHosts(subject)) };
    let is_trusted = is_trusted(&ders, first, now, roots);
    let is_self_signed = own.subject() == own.issuer();
    Ok(CertificateFacts {
        issuer: own.issuer().to_string(),
        subject,
        hosts,
        starts_at,
        expires_at,
        is_self_signed,
        is_trusted,
    })
}

fn chain_read(chain: &str) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    if chain.len() > CHAIN_BYTES_MAX {
        return Err(CertificateFault::ChainTooLong);
    }
    let ders: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateFault::ChainUnreadable)?;
    match ders.len() {
        0 => Err(CertificateFault::ChainUnreadable),
        1..=CHAIN_LENGTH_MAX => Ok(ders),
        _ => Err(CertificateFault::ChainTooLong),
    }
}

fn key_check(key: &Secret, ders: &[CertificateDer<'static>], subject: &str) -> Result<(), CertificateFault> {
    let text = key.reveal();
    if text.len() > KEY_BYTES_MAX {
        return Err(CertificateFault::KeyUnreadable);
    }
    if text.contains("ENCRYPTED") {
        return Err(CertificateFault::KeyEncrypted);
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| CertificateFault::KeyUnreadable)?;
    match CertifiedKey::from_der(ders.to_vec(), key, &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateFault::KeyMismatch(subject.to_owned())),
        Err(_) => Err(CertificateFault::KeyUnreadable),
    }
}

fn dates(own: &X509Certificate<'_>) -> Result<(Timestamp, Timestamp), CertificateFault> {
    let at = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| CertificateFault::ChainDamaged(1));
    let validity = own.validity();
    Ok((at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?))
}

/// Each must have been issued by the next one. The last one's issuer is with the client.
fn order_check(certificates: &[X509Certificate<'_>]) -> Result<(), CertificateFault> {
    for (position, pair) in (1..).zip(certificates.windows(2)) {
        let [issued, issuer] = pair else { continue };
        let follows = issued.issuer() == issuer.subject() && issued.verify_signature(Some(issuer.public_key())).is_ok();
        if !follows {
            let (subject, next) = (issued.subject().to_string(), issuer.subject().to_string());
            return Err(CertificateFault::ChainOrder { position, subject, next });
        }
    }
    Ok(())
}

fn hosts(own: &X509Certificate<'_>) -> Vec<Hostname> {
    let Ok(Some(names)) = own.subject_alternative_name() else { return Vec::new() };
    let mut hosts: Vec<Hostname> = Vec::new();
    for name in &names.value.general_names {
        if let GeneralName::DNSName(name) = name
            && let Ok(host) = Hostname::parse(name)
            && !hosts.contains(&host)
            && hosts.len() < HOSTS_MAX
        {
            hosts.push(host);
        }
    }
    hosts
}

/// Whether a client of this machine would take it.
fn is_trusted(ders: &[CertificateDer<'_>], host: &Hostname, now: Timestamp, roots: RootCertStore) -> bool {
    let Some((own, intermediates)) = ders.split_first() else { return false };
    let host = host.as_str().replace('*', "any");
    let (Ok(name), Ok(seconds)) = (ServerName::try_from(host), u64::try_from(now.as_second())) else { return false };
    let provider = Arc::new(ring::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return false;
    };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    verifier.verify_server_cert(own, intermediates, &name, &[], now).is_ok()
}
