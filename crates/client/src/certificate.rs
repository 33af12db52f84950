//! Certificates.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{SniEndpoint, SniEndpointCreate};

impl Client {
    /// An app's certificates.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn certificate_list(&self, app: &str) -> Result<Vec<SniEndpoint>, ClientError> {
        self.list(&path(app)).await
    }

    /// One certificate, by name or id.
    ///
    /// # Errors
    /// When the app has none such.
    pub async fn certificate_find(&self, app: &str, certificate: &str) -> Result<SniEndpoint, ClientError> {
        self.get(&one(app, certificate)).await
    }

    /// Adds a certificate.
    ///
    /// # Errors
    /// When the chain or the key is no good; the message says why.
    pub async fn certificate_create(&self, app: &str, pem: &SniEndpointCreate) -> Result<SniEndpoint, ClientError> {
        self.post(&path(app), pem).await
    }

    /// Replaces a certificate.
    ///
    /// # Errors
    /// When the chain or the key is no good; then the old ones stay.
    pub async fn certificate_update(
        &self,
        app: &str,
        certificate: &str,
        pem: &SniEndpointCreate,
    ) -> Result<SniEndpoint, ClientError> {
        self.patch(&one(app, certificate), pem).await
    }

    /// Removes a certificate.
    ///
    /// # Errors
    /// When the app has none such.
    pub async fn certificate_remove(&self, app: &str, certificate: &str) -> Result<(), ClientError> {
        self.delete(&one(app, certificate)).await
    }
}

fn path(app: &str) -> String {
    format!("/apps/{}/sni-endpoints", segment(app))
}

fn one(app: &str, certificate: &str) -> String {
    format!("{}/{}", path(app), segment(certificate))
}
