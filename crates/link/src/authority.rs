//! The platform's certificate authority: it issues what the platform's machines know each other by.

use std::fmt;
use std::time::Duration;

use ambo_model::{Secret, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// From and until when the root is good, in years.
const ROOT_YEARS: (i32, i32) = (2025, 2050);

/// A root certificate with its key.
#[derive(Clone)]
pub struct Authority {
    name: String,
    root: String,
    key: Secret,
}

/// A certificate with its chain and key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate, then the root.
    pub chain: String,
    /// Its key.
    pub key: Secret,
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
#[error("issue a certificate")]
pub struct AuthorityError(#[from] rcgen::Error);

impl Authority {
    /// Makes a new authority. `name` tells the roots of different platforms apart.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn generate(name: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let root = root_params(name)?.self_signed(&key)?.pem();
        Ok(Self { name: name.to_owned(), root, key: Secret::new(key.serialize_pem()) })
    }

    /// The authority that was made before under the same name.
    #[must_use]
    pub fn known(name: &str, root: String, key: Secret) -> Self {
        Self { name: name.to_owned(), root, key }
    }

    /// The root, PEM.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The root's key, PEM.
    #[must_use]
    pub fn key(&self) -> &Secret {
        &self.key
    }

    /// Issues a certificate for hosts and addresses, good from a day before `now` (clocks differ) for `life` from `now` on.
    /// `client` makes it good for both ends of a connection.
    ///
    /// # Errors
    /// When a name is none, or the key is not the root's.
    pub fn issue(
        &self,
        names: &[String],
        client: bool,
        now: Timestamp,
        life: Duration,
    ) -> Result<Issued, AuthorityError> {
        let issuer = Issuer::new(root_params(&self.name)?, KeyPair::from_pem(self.key.reveal())?);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if client {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        params.use_authority_key_identifier_extension = true;
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since_epoch(now).saturating_sub(DAY);
        params.not_after = epoch + since_epoch(now).saturating_add(life);
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Issued { chain: format!("{}{}", certificate.pem(), self.root), key: Secret::new(key.serialize_pem()) })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The root but for its key; the same each time, so that what it issues names it rightly.
fn root_params(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let short = name.get(..8).unwrap_or(name);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Ambo platform {short}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(ROOT_YEARS.0, 1, 1);
    params.not_after = date_time_ymd(ROOT_YEARS.1, 1, 1);
    Ok(params)
}

fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
}
