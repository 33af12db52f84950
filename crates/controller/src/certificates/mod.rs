//! Certificates of apps: added, replaced, removed; the router shows each to those who ask for a host that it covers.

mod inspect;
mod serving;
#[cfg(test)]
mod tests;

use ambo_model::certificate::Certificate;
use ambo_model::{App, AppId, CertificateId, Secret, Timestamp};
use ambo_store::{StoreError, Transaction};
use rand::Rng;
use rustls::RootCertStore;
use serde::{Deserialize, Serialize};

pub use self::inspect::CertificateFault;
use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::domains::Domain;
use crate::error::ControllerError;
use crate::keys;
use crate::records::{Found, json, list, replace, retry_conflicts};
use crate::vault::Sealed;

/// Most certificates of an app.
const CERTIFICATES_MAX: usize = 100;
/// How often another name is tried.
const NAME_TRIES_MAX: usize = 20;
const NAMES: [&str; 8] = ["amber", "birch", "cedar", "hazel", "linden", "maple", "rowan", "willow"];

/// A certificate as it lies in the store, its key sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    certificate: Certificate,
    key: Sealed,
}

/// A certificate with the domains that it is shown for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateView {
    /// The certificate.
    pub certificate: Certificate,
    /// The domains.
    pub domains: Vec<Domain>,
}

/// A chain with its key, PEM, as somebody hands them in.
#[derive(Debug)]
pub struct CertificatePem {
    /// The app's own certificate first.
    pub chain: String,
    /// Its key.
    pub key: Secret,
}

impl From<CertificateFault> for ControllerError {
    fn from(fault: CertificateFault) -> Self {
        Self::Invalid(fault.to_string())
    }
}

impl Controller {
    /// The certificates of an app, by name.
    ///
    /// # Errors
    /// When the app is not the caller's to see.
    pub async fn certificate_list(
        &self,
        caller: &Caller,
        app: &str,
    ) -> Result<(App, Vec<CertificateView>), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let certificates = self.certificates_of(app.id).await?;
        let domains = self.domains_of(app.id).await?;
        let now = Timestamp::now();
        let shown = |certificate: &Certificate| {
            let is_shown = |domain: &&Domain| {
                serving::choose(domain, &certificates, now).is_some_and(|chosen| chosen.id == certificate.id)
            };
            domains.iter().filter(is_shown).cloned().collect()
        };
        let views = certificates
            .iter()
            .map(|certificate| CertificateView { domains: shown(certificate), certificate: certificate.clone() })
            .collect();
        Ok((app, views))
    }

    /// One certificate, by name or id.
    ///
    /// # Errors
    /// `NotFound` when the app has none such.
    pub async fn certificate_find(
        &self,
        caller: &Caller,
        app: &str,
        certificate: &str,
    ) -> Result<(App, CertificateView), ControllerError> {
        let (app, views) = self.certificate_list(caller, app).await?;
        let found = views.into_iter().find(|view| is_named(&view.certificate, certificate));
        Ok((app, found.ok_or_else(|| unknown(certificate))?))
    }

    /// Adds a certificate. The domains that it covers are served with it at once, unless they have one already.
    ///
    /// # Errors
    /// `Invalid` names what is wrong with the chain or the key.
    pub async fn certificate_create(
        &self,
        caller: &Caller,
        app: &str,
        pem: CertificatePem,
        now: Timestamp,
    ) -> Result<(App, CertificateView), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let facts = inspect::inspect(&pem.chain, &pem.key, now, roots())?;
        if self.certificates_of(app.id).await?.len() >= CERTIFICATES_MAX {
            return Err(ControllerError::Invalid(format!(
                "an app has at most {CERTIFICATES_MAX} certificates: remove one that is not needed any more"
            )));
        }
        for _ in 0..NAME_TRIES_MAX {
            let (id, name) = (CertificateId::new(), name());
            let key = self.vault.seal_text(&associated_data(app.id, id), &pem.key);
            let certificate = Certificate {
                id,
                app: app.id,
                name: name.clone(),
                chain: pem.chain.clone(),
                facts: facts.clone(),
                created_at: now,
                updated_at: now,
            };
            let (at, record) = (keys::certificate(app.id, &name), Record { certificate, key });
            let transaction =
                Transaction::new().present(keys::app(app.id)).absent(at.clone()).put(at.clone(), json(&record));
            match self.store.commit(transaction).await {
                Ok(_) => return self.certificate_changed(caller, &app, &name, "Add").await,
                Err(StoreError::Conflict { key }) if key == at => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ControllerError::Conflict("no name was free for the certificate: try again".to_owned()))
    }

    /// Puts another chain and key in a certificate's place; handshakes from now on show them.
    ///
    /// # Errors
    /// `Invalid` names what is wrong with the chain or the key; then the old ones stay.
    pub async fn certificate_update(
        &self,
        caller: &Caller,
        app: &str,
        certificate: &str,
        pem: CertificatePem,
        now: Timestamp,
    ) -> Result<(App, CertificateView), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let facts = inspect::inspect(&pem.chain, &pem.key, now, roots())?;
        let name = retry_conflicts(|| async {
            let mut found = self.certificate_record(app.id, certificate).await?;
            let id = found.value.certificate.id;
            found.value.key = self.vault.seal_text(&associated_data(app.id, id), &pem.key);
            found.value.certificate.chain.clone_from(&pem.chain);
            found.value.certificate.facts = facts.clone();
            found.value.certificate.updated_at = now;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>(found.value.certificate.name)
        })
        .await?;
        self.certificate_changed(caller, &app, &name, "Update").await
    }

    /// Removes a certificate. Its domains are served with another that covers them, or the platform's.
    ///
    /// # Errors
    /// `NotFound` when the app has none such.
    pub async fn certificate_remove(
        &self,
        caller: &Caller,
        app: &str,
        certificate: &str,
    ) -> Result<(App, CertificateView), ControllerError> {
        let (app, view) = self.certificate_find(caller, app, certificate).await?;
        self.app_find(caller, &app.id.to_string(), Permission::Deploy).await?;
        let name = &view.certificate.name;
        self.store.commit(Transaction::new().delete(keys::certificate(app.id, name))).await?;
        self.log(app.id, "api", format!("Remove certificate {name} by user {}", caller.email));
        self.certificates_follow().await;
        Ok((app, view))
    }

    async fn certificate_changed(
        &self,
        caller: &Caller,
        app: &App,
        name: &str,
        what: &str,
    ) -> Result<(App, CertificateView), ControllerError> {
        self.log(app.id, "api", format!("{what} certificate {name} by user {}", caller.email));
        self.certificates_follow().await;
        self.certificate_find(caller, &app.id.to_string(), name).await
    }

    /// Which certificate each of these domains of an app is served with.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn domain_certificates(
        &self,
        app: AppId,
        domains: &[Domain],
    ) -> Result<Vec<Option<Certificate>>, ControllerError> {
        let (certificates, now) = (self.certificates_of(app).await?, Timestamp::now());
        Ok(domains.iter().map(|domain| serving::choose(domain, &certificates, now).cloned()).collect())
    }

    /// The certificate that a domain is to be served with, if it covers it.
    pub(crate) async fn certificate_for(
        &self,
        app: AppId,
        certificate: &str,
        host: &ambo_model::Hostname,
    ) -> Result<CertificateId, ControllerError> {
        let found = self.certificate_record(app, certificate).await?.value.certificate;
        if found.facts.covers(host) {
            return Ok(found.id);
        }
        let hosts: Vec<&str> = found.facts.hosts.iter().map(ambo_model::Hostname::as_str).collect();
        Err(ControllerError::Invalid(format!(
            "the certificate {} is for {}, not for {host}: add one that names it",
            found.name,
            hosts.join(", ")
        )))
    }

    async fn certificate_record(&self, app: AppId, certificate: &str) -> Result<Found<Record>, ControllerError> {
        let records = list::<Record>(&*self.store, &keys::certificates(app)).await?;
        let found = records.into_iter().find(|found| is_named(&found.value.certificate, certificate));
        found.ok_or_else(|| unknown(certificate))
    }

    async fn certificates_of(&self, app: AppId) -> Result<Vec<Certificate>, ControllerError> {
        let records = list::<Record>(&*self.store, &keys::certificates(app)).await?;
        Ok(records.into_iter().map(|found| found.value.certificate).collect())
    }

    /// Removes all of a destroyed app. Idempotent.
    pub(crate) async fn certificates_remove(&self, app: AppId) -> Result<(), ControllerError> {
        for certificate in self.certificates_of(app).await? {
            self.store.commit(Transaction::new().delete(keys::certificate(app, &certificate.name))).await?;
        }
        Ok(())
    }
}

fn is_named(certificate: &Certificate, wanted: &str) -> bool {
    certificate.name == wanted || certificate.id.to_string() == wanted
}

fn unknown(wanted: &str) -> ControllerError {
    let wanted: String = wanted.chars().filter(|c| !c.is_control()).take(80).collect();
    ControllerError::NotFound(format!("Couldn't find that SSL certificate: `{wanted}`; see `ambo certs`"))
}

/// Ties a sealed key to its certificate.
fn associated_data(app: AppId, certificate: CertificateId) -> String {
    format!("{app}/certificate/{certificate}")
}

fn name() -> String {
    let mut random = rand::rng();
    format!("{}-{}", NAMES[random.random_range(0..NAMES.len())], random.random_range(10_000..100_000))
}

/// What this machine trusts.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
