//! `/apps/{app}/sni-endpoints`: certificates of an app.

use ambo_api_types::{SniEndpoint, SniEndpointCreate, SslCert};
use ambo_controller::accounts::Permission;
use ambo_controller::certificates::{CertificatePem, CertificateView};
use ambo_model::{App, Secret};
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Key, Page, Range};
use crate::state::Api;
use crate::wire::{app_reference, derived_id};

fn wire(app: &App, view: &CertificateView) -> SniEndpoint {
    let certificate = &view.certificate;
    let facts = &certificate.facts;
    let ssl_cert = SslCert {
        id: derived_id(&["certificate", &certificate.id.to_string(), &certificate.updated_at.to_string()]),
        acm: false,
        ca_signed: facts.is_trusted,
        cert_domains: facts.hosts.iter().map(ToString::to_string).collect(),
        expires_at: facts.expires_at,
        issuer: facts.issuer.clone(),
        self_signed: facts.is_self_signed,
        starts_at: facts.starts_at,
        subject: facts.subject.clone(),
    };
    SniEndpoint {
        id: certificate.id.uuid(),
        name: certificate.name.clone(),
        display_name: None,
        certificate_chain: certificate.chain.clone(),
        domains: view.domains.iter().map(|domain| domain.id).collect(),
        ssl_cert,
        app: app_reference(app),
        created_at: certificate.created_at,
        updated_at: certificate.updated_at,
    }
}

fn pem(given: SniEndpointCreate) -> CertificatePem {
    CertificatePem { chain: given.certificate_chain, key: Secret::new(given.private_key.into_revealed()) }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<SniEndpoint>, ApiError> {
    let (app, views) = api.controller.certificate_list(&caller, &app).await?;
    let attributes: [crate::range::Attribute<SniEndpoint>; 2] =
        [("name", |endpoint| Key::Text(endpoint.name.clone())), ("id", |endpoint| Key::Text(endpoint.id.to_string()))];
    Ok(range.page(&attributes, views.iter().map(|view| wire(&app, view)).collect()))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(given): Json<SniEndpointCreate>,
) -> Result<Created<SniEndpoint>, ApiError> {
    let (app, view) = api.controller.certificate_create(&caller, &app, pem(given), api.now()).await?;
    Ok(Created(wire(&app, &view)))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, certificate)): Path<(String, String)>,
) -> Result<Answer<SniEndpoint>, ApiError> {
    let (app, view) = api.controller.certificate_find(&caller, &app, &certificate).await?;
    Ok(Answer(wire(&app, &view)))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, certificate)): Path<(String, String)>,
    Json(given): Json<SniEndpointCreate>,
) -> Result<Answer<SniEndpoint>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let (app, view) = api.controller.certificate_update(&caller, &app, &certificate, pem(given), api.now()).await?;
    Ok(Answer(wire(&app, &view)))
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, certificate)): Path<(String, String)>,
) -> Result<Answer<SniEndpoint>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let (app, view) = api.controller.certificate_remove(&caller, &app, &certificate).await?;
    Ok(Answer(wire(&app, &view)))
}
