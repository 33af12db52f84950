//! Which certificate is shown for which host, derived from the newest state and handed to the router whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::certificate::Certificate;
use ambo_model::{App, AppId, CertificateId, Hostname, Timestamp};

use super::{Record, associated_data};
use crate::controller::Controller;
use crate::domains::Domain;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::ports::ServedCertificate;
use crate::records::list;

/// How long until the router is told again without a nudge.
const LOOK_INTERVAL: Duration = Duration::from_secs(300);

/// The certificate that a domain is served with: the one that somebody chose for it, as long as it covers it, else the best
/// that does.
pub(super) fn choose<'c>(domain: &Domain, certificates: &'c [Certificate], now: Timestamp) -> Option<&'c Certificate> {
    let covering = || certificates.iter().filter(|certificate| certificate.facts.covers(&domain.hostname));
    let chosen = domain.certificate.and_then(|id| covering().find(|certificate| certificate.id == id));
    chosen.or_else(|| best(covering(), &domain.hostname, now))
}

/// One that is still good, names the host itself, is trusted, lasts longest.
fn best<'c>(
    covering: impl Iterator<Item = &'c Certificate>,
    host: &Hostname,
    now: Timestamp,
) -> Option<&'c Certificate> {
    covering.max_by_key(|certificate| {
        let facts = &certificate.facts;
        (facts.expires_at > now, facts.names(host), facts.is_trusted, facts.expires_at)
    })
}

impl Controller {
    /// Hands the router every certificate with the hosts that it is shown for.
    pub(crate) async fn certificates_publish(&self) -> Result<(), ControllerError> {
        self.publishing_certificates.share(self.certificates_derive()).await
    }

    async fn certificates_derive(&self) -> Result<(), ControllerError> {
        let mut by_app: HashMap<AppId, Vec<Record>> = HashMap::new();
        for found in list::<Record>(&*self.store, keys::CERTIFICATES).await? {
            by_app.entry(found.value.certificate.app).or_default().push(found.value);
        }
        let mut served = Vec::new();
        if !by_app.is_empty() {
            let mut domains: HashMap<AppId, Vec<Domain>> = HashMap::new();
            for domain in self.domains_all().await? {
                domains.entry(domain.app).or_default().push(domain);
            }
            for app in list::<App>(&*self.store, keys::APPS).await? {
                let (app, id) = (app.value.name, app.value.id);
                if let Some(records) = by_app.remove(&id) {
                    let own = self.app_host(&app)?;
                    self.certificates_serve(own, records, &domains.remove(&id).unwrap_or_default(), &mut served);
                }
            }
        }
        self.routes.certificates_publish(served).await;
        Ok(())
    }

    fn certificates_serve(
        &self,
        own: Hostname,
        records: Vec<Record>,
        domains: &[Domain],
        served: &mut Vec<ServedCertificate>,
    ) {
        let now = Timestamp::now();
        let certificates: Vec<Certificate> = records.iter().map(|record| record.certificate.clone()).collect();
        let mut hosts: BTreeMap<CertificateId, Vec<Hostname>> = BTreeMap::new();
        for domain in domains {
            if let Some(chosen) = choose(domain, &certificates, now) {
                hosts.entry(chosen.id).or_default().push(domain.hostname.clone());
            }
        }
        let covers_own = certificates.iter().filter(|certificate| certificate.facts.covers(&own));
        if let Some(chosen) = best(covers_own, &own, now) {
            hosts.entry(chosen.id).or_default().push(own);
        }
        for Record { certificate, key } in records {
            let Some(hosts) = hosts.remove(&certificate.id) else { continue };
            match self.vault.open_text(&associated_data(certificate.app, certificate.id), &key) {
                Ok(key) => served.push(ServedCertificate { hosts, chain: certificate.chain, key }),
                // The others are served all the same.
                Err(error) => {
                    tracing::error!(certificate = %certificate.name, error = %chain(&error), "a certificate is not served")
                }
            }
        }
    }

    /// Lets the router follow a change before its caller is answered.
    pub(crate) async fn certificates_follow(&self) {
        if let Err(error) = self.certificates_publish().await {
            tracing::warn!(error = %chain(&error), "the router keeps its certificates for now");
            self.nudge.certificates();
        }
    }

    pub(crate) async fn certificates_run(self: Arc<Self>) {
        while !self.stopping.is_cancelled() {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = self.nudge.certificates_nudged() => tokio::time::sleep(Duration::from_secs(1)).await,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            if let Err(error) = self.certificates_publish().await {
                tracing::warn!(error = %chain(&error), "cannot derive the certificates now; the last ones stay");
            }
        }
    }
}
