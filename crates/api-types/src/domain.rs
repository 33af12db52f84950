//! `/apps/{app}/domains`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::{AppReference, NamedReference};

/// A name that leads to an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Domain {
    /// Its id.
    pub id: Uuid,
    /// The name.
    pub hostname: String,
    /// The platform's own name for the app, for a CNAME record.
    pub cname: Option<String>,
    /// `heroku` for the platform's own name, `custom` for others.
    pub kind: String,
    /// `succeeded` once it is routed.
    pub status: String,
    /// State of its certificate.
    pub acm_status: Option<String>,
    /// More about that state.
    pub acm_status_reason: Option<String>,
    /// Its certificate.
    pub sni_endpoint: Option<NamedReference>,
    /// To which app.
    pub app: AppReference,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// `POST /apps/{app}/domains`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainCreate {
    /// The name.
    pub hostname: String,
    /// The certificate to serve it with, by name or id; the best that covers it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni_endpoint: Option<String>,
}

/// `PATCH /apps/{app}/domains/{domain}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DomainUpdate {
    /// The certificate to serve it with, by name or id; `null` leaves the choice to the platform.
    pub sni_endpoint: Option<String>,
}
