//! Domains.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Domain, DomainCreate};

impl Client {
    /// An app's domains.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn domain_list(&self, app: &str) -> Result<Vec<Domain>, ClientError> {
        self.list(&path(app)).await
    }

    /// Adds a domain.
    ///
    /// # Errors
    /// When it is invalid, or another app's.
    pub async fn domain_create(&self, app: &str, hostname: &str) -> Result<Domain, ClientError> {
        self.post(&path(app), &DomainCreate { hostname: hostname.to_owned(), sni_endpoint: None }).await
    }

    /// Removes a domain.
    ///
    /// # Errors
    /// When the app has none of that name.
    pub async fn domain_remove(&self, app: &str, hostname_or_id: &str) -> Result<(), ClientError> {
        self.delete(&format!("{}/{}", path(app), segment(hostname_or_id))).await
    }
}

fn path(app: &str) -> String {
    format!("/apps/{}/domains", segment(app))
}
