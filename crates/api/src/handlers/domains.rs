//! `/apps/{app}/domains`

use ambo_api_types::{Domain, DomainCreate, DomainUpdate, NamedReference};
use ambo_controller::accounts::Permission;
use ambo_model::{App, Certificate, Hostname};
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

fn own_host(api: &Api, app: &App) -> String {
    format!("{}.{}", app.name, api.controller.settings.domain)
}

type CustomDomain = ambo_controller::domains::Domain;

async fn wire_one(api: &Api, app: &App, domain: CustomDomain) -> Result<Domain, ApiError> {
    let domains = [domain];
    let certificates = api.controller.domain_certificates(app.id, &domains).await?;
    let [domain] = &domains;
    Ok(wire(api, app, domain, certificates.into_iter().next().flatten()))
}

fn wire(api: &Api, app: &App, domain: &CustomDomain, certificate: Option<Certificate>) -> Domain {
    Domain {
        id: domain.id,
        hostname: domain.hostname.to_string(),
        cname: Some(own_host(api, app)),
        kind: "custom".to_owned(),
        status: "succeeded".to_owned(),
        acm_status: None,
        acm_status_reason: None,
        sni_endpoint: certificate.map(|found| NamedReference { id: found.id.uuid(), name: found.name }),
        app: app_reference(app),
        created_at: domain.created_at,
        updated_at: domain.created_at,
    }
}

/// The platform's own name for the app, which every app has.
fn wire_own(api: &Api, app: &App) -> Domain {
    let hostname = own_host(api, app);
    Domain {
        id: derived_id(&["domain", &app.id.to_string(), &hostname]),
        hostname,
        cname: None,
        kind: "heroku".to_owned(),
        status: "succeeded".to_owned(),
        acm_status: None,
        acm_status_reason: None,
        sni_endpoint: None,
        app: app_reference(app),
        created_at: app.created_at,
        updated_at: app.updated_at,
    }
}

pub(crate) async fn list(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    range: Range,
) -> Result<Page<Domain>, ApiError> {
    let (app, domains) = api.controller.domain_list(&caller, &app).await?;
    let certificates = api.controller.domain_certificates(app.id, &domains).await?;
    let mut shown = vec![wire_own(&api, &app)];
    let custom = domains.iter().zip(certificates);
    shown.extend(custom.map(|(domain, certificate)| wire(&api, &app, domain, certificate)));
    let attributes: [crate::range::Attribute<Domain>; 2] =
        [("hostname", |domain| Key::Text(domain.hostname.clone())), ("id", |domain| Key::Text(domain.id.to_string()))];
    Ok(range.page(&attributes, shown))
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(app): Path<String>,
    Json(wanted): Json<DomainCreate>,
) -> Result<Created<Domain>, ApiError> {
    api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    let hostname =
        Hostname::parse(&wanted.hostname).map_err(|error| ApiError::invalid(format!("`hostname`: {error}")))?;
    let certificate = wanted.sni_endpoint.as_deref();
    let (app, domain) = api.controller.domain_create(&caller, &app, hostname, certificate, api.now()).await?;
    Ok(Created(wire_one(&api, &app, domain).await?))
}

pub(crate) async fn update(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, domain)): Path<(String, String)>,
    Json(wanted): Json<DomainUpdate>,
) -> Result<Answer<Domain>, ApiError> {
    let owner = api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    if own_host(&api, &owner) == domain {
        return Err(ApiError::invalid(format!(
            "`{domain}` is the platform's own name for the app: it is served with the platform's certificate, or one of the \
             app's that covers it"
        )));
    }
    let (app, domain) = api.controller.domain_update(&caller, &app, &domain, wanted.sni_endpoint.as_deref()).await?;
    Ok(Answer(wire_one(&api, &app, domain).await?))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, domain)): Path<(String, String)>,
) -> Result<Answer<Domain>, ApiError> {
    let owner = api.controller.app_find(&caller, &app, Permission::Read).await?;
    let own = wire_own(&api, &owner);
    if own.hostname == domain || own.id.to_string() == domain {
        return Ok(Answer(own));
    }
    let (app, domain) = api.controller.domain_find(&caller, &app, &domain).await?;
    Ok(Answer(wire_one(&api, &app, domain).await?))
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path((app, domain)): Path<(String, String)>,
) -> Result<Answer<Domain>, ApiError> {
    let owner = api.controller.app_find(&caller, &app, Permission::Deploy).await?;
    if own_host(&api, &owner) == domain {
        return Err(ApiError::invalid(format!(
            "`{domain}` is the platform's own name for the app: every app keeps it"
        )));
    }
    let (app, domain) = api.controller.domain_remove(&caller, &app, &domain).await?;
    Ok(Answer(wire_one(&api, &app, domain).await?))
}
