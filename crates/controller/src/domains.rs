//! Domains: hostnames that lead to an app beside the platform's own name for it.

use ambo_model::{App, AppId, CertificateId, Hostname, Timestamp};
use ambo_store::{StoreError, Transaction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::keys;
use crate::records::{get, json, list, replace, retry_conflicts};

/// A domain of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its id.
    pub id: Uuid,
    /// The name.
    pub hostname: Hostname,
    /// Whose.
    pub app: AppId,
    /// The certificate that somebody chose for it. Without one, the best that covers it is shown.
    #[serde(default)]
    pub certificate: Option<CertificateId>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Controller {
    /// Adds a domain.
    ///
    /// # Errors
    /// `Invalid` when the name is the platform's own or below it, or another app's.
    pub async fn domain_create(
        &self,
        caller: &Caller,
        app: &str,
        hostname: Hostname,
        certificate: Option<&str>,
        now: Timestamp,
    ) -> Result<(App, Domain), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        self.domain_allowed(&hostname)?;
        let certificate = self.domain_certificate(&app, certificate, &hostname).await?;
        let domain =
            Domain { id: Uuid::now_v7(), hostname: hostname.clone(), app: app.id, certificate, created_at: now };
        let key = keys::domain(&hostname);
        let transaction =
            Transaction::new().present(keys::app(app.id)).absent(key.clone()).put(key.clone(), json(&domain));
        match self.store.commit(transaction).await {
            Ok(_) => {}
            Err(StoreError::Conflict { key: taken }) if taken == key => {
                return Err(self.domain_taken(&app, &hostname).await?);
            }
            Err(error) => return Err(error.into()),
        }
        self.log(app.id, "api", format!("Add {hostname} domain by user {}", caller.email));
        self.routes_follow().await;
        Ok((app, domain))
    }

    fn domain_allowed(&self, hostname: &Hostname) -> Result<(), ControllerError> {
        let wildcard_base = hostname.as_str().strip_prefix("*.").and_then(|base| Hostname::parse(base).ok());
        let covered = wildcard_base.as_ref().unwrap_or(hostname);
        let own = self
            .settings
            .platform_hosts
            .iter()
            .any(|host| host == hostname || (hostname.is_wildcard() && host.is_within(covered)));
        let below = covered.is_within(&self.settings.domain)
            || (hostname.is_wildcard() && self.settings.domain.is_within(covered));
        if own || below {
            return Err(ControllerError::Invalid(format!(
                "`{hostname}` belongs to the platform: apps have `<app>.{}` by themselves, add a domain of your own",
                self.settings.domain
            )));
        }
        Ok(())
    }

    async fn domain_taken(&self, app: &App, hostname: &Hostname) -> Result<ControllerError, ControllerError> {
        let owner = get::<Domain>(&*self.store, &keys::domain(hostname)).await?.map(|found| found.value.app);
        let whose = if owner == Some(app.id) { "this app already" } else { "another app: remove it there first" };
        Ok(ControllerError::Invalid(format!("Domain {hostname} is in use by {whose}")))
    }

    /// The domains of an app.
    ///
    /// # Errors
    /// When the app is not the caller's to see.
    pub async fn domain_list(&self, caller: &Caller, app: &str) -> Result<(App, Vec<Domain>), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let domains = self.domains_of(app.id).await?;
        Ok((app, domains))
    }

    /// One domain, by name or id.
    ///
    /// # Errors
    /// `NotFound` when the app has none such.
    pub async fn domain_find(
        &self,
        caller: &Caller,
        app: &str,
        domain: &str,
    ) -> Result<(App, Domain), ControllerError> {
        let (app, domains) = self.domain_list(caller, app).await?;
        let found = pick(domains, domain)?;
        Ok((app, found))
    }

    /// Chooses the certificate that a domain is served with; `None` leaves the choice to the platform.
    ///
    /// # Errors
    /// `NotFound` when the app has no such domain or certificate, `Invalid` when the certificate is for other hosts.
    pub async fn domain_update(
        &self,
        caller: &Caller,
        app: &str,
        domain: &str,
        certificate: Option<&str>,
    ) -> Result<(App, Domain), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let wanted = pick(self.domains_of(app.id).await?, domain)?;
        let chosen = self.domain_certificate(&app, certificate, &wanted.hostname).await?;
        let updated = retry_conflicts(|| async {
            let found = get::<Domain>(&*self.store, &keys::domain(&wanted.hostname)).await?;
            let mut found = found.filter(|found| found.value.id == wanted.id).ok_or_else(|| unknown(domain))?;
            found.value.certificate = chosen;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>(found.value)
        })
        .await?;
        self.certificates_follow().await;
        Ok((app, updated))
    }

    async fn domain_certificate(
        &self,
        app: &App,
        certificate: Option<&str>,
        hostname: &Hostname,
    ) -> Result<Option<CertificateId>, ControllerError> {
        match certificate {
            Some(certificate) => Ok(Some(self.certificate_for(app.id, certificate, hostname).await?)),
            None => Ok(None),
        }
    }

    /// Removes a domain.
    ///
    /// # Errors
    /// `NotFound` when the app has none such.
    pub async fn domain_remove(
        &self,
        caller: &Caller,
        app: &str,
        domain: &str,
    ) -> Result<(App, Domain), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let found = pick(self.domains_of(app.id).await?, domain)?;
        self.store.commit(Transaction::new().delete(keys::domain(&found.hostname))).await?;
        self.log(app.id, "api", format!("Remove {} domain by user {}", found.hostname, caller.email));
        self.routes_follow().await;
        Ok((app, found))
    }

    pub(crate) async fn domains_all(&self) -> Result<Vec<Domain>, ControllerError> {
        Ok(list::<Domain>(&*self.store, keys::DOMAINS).await?.into_iter().map(|found| found.value).collect())
    }

    pub(crate) async fn domains_of(&self, app: AppId) -> Result<Vec<Domain>, ControllerError> {
        Ok(self.domains_all().await?.into_iter().filter(|domain| domain.app == app).collect())
    }
}

fn pick(domains: Vec<Domain>, wanted: &str) -> Result<Domain, ControllerError> {
    let hostname = Hostname::parse(wanted).ok();
    domains
        .into_iter()
        .find(|domain| Some(&domain.hostname) == hostname.as_ref() || domain.id.to_string() == wanted)
        .ok_or_else(|| unknown(wanted))
}

fn unknown(wanted: &str) -> ControllerError {
    ControllerError::NotFound(format!("Couldn't find that domain name: `{wanted}`; see `ambo domains`"))
}
