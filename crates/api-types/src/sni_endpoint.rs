//! `/apps/{app}/sni-endpoints`: certificates of an app, by Heroku's name for them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::AppReference;
use crate::secret::Secret;

/// A certificate of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SniEndpoint {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// None: the name is shown.
    pub display_name: Option<String>,
    /// The chain, PEM.
    pub certificate_chain: String,
    /// The ids of the domains that it is shown for.
    pub domains: Vec<Uuid>,
    /// What the certificate says.
    pub ssl_cert: SslCert,
    /// Of which app.
    pub app: AppReference,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last replaced.
    pub updated_at: Timestamp,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SslCert {
    /// An id; another one when the certificate is replaced.
    pub id: Uuid,
    /// Whether the platform fetched it by itself.
    pub acm: bool,
    /// Whether it leads to a root that the platform's machine trusts.
    #[serde(rename = "ca_signed?")]
    pub ca_signed: bool,
    /// The hosts it is for.
    pub cert_domains: Vec<String>,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Who issued it.
    pub issuer: String,
    /// Whether it is its own issuer.
    #[serde(rename = "self_signed?")]
    pub self_signed: bool,
    /// From when it is good.
    pub starts_at: Timestamp,
    /// Whom it is about.
    pub subject: String,
}

/// `POST /apps/{app}/sni-endpoints`, `PATCH /apps/{app}/sni-endpoints/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SniEndpointCreate {
    /// The chain, PEM, the app's own certificate first.
    pub certificate_chain: String,
    /// Its key, PEM.
    pub private_key: Secret,
}
