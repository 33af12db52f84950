//! One machine: instances on its engine, the router in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambo_api::Clients;
use ambo_builder::RegistryLogin;
use ambo_controller::ports::DirectDialer;
use ambo_engine_docker::{DockerSettings, Engine};
use ambo_logs::{LogSettings, LogStore};
use ambo_model::Secret;
use ambo_registry::PLATFORM_USERNAME;
use ambo_router::{LogLines, Router, RouterSettings};
use ambo_scheduler_docker::{DockerScheduler, DockerSchedulerSettings};

use crate::adapters::{LocalRoutes, OwnRegistryLogin};
use crate::certificate::PlatformCertificate;
use crate::data::Data;
use crate::platform::Foundation;
use crate::settings::Settings;

/// The machine's router, and what its control plane stands on.
pub(crate) fn open(
    settings: &Settings,
    data: &Data,
    sockets: ambo_router::Listeners,
) -> anyhow::Result<(Router, Foundation)> {
    let path = data.path();
    let logs = Arc::new(LogStore::open(&path.join("logs"), LogSettings::default())?);
    let store = crate::state::open(settings, path)?;
    let certificate = PlatformCertificate::open(settings, data)?;
    let router = router(settings, path, sockets, &logs, &certificate);
    let login = RegistryLogin { username: PLATFORM_USERNAME.to_owned(), password: random_password() };
    let engine = Engine::connect(engine_settings(settings)?)?;
    let handle = router.handle();
    let foundation = Foundation {
        store,
        scheduler: Arc::new(DockerScheduler::new(engine.clone(), scheduler_settings(settings, data, &login)?)),
        build_engines: Arc::new(engine),
        routes: Arc::new(LocalRoutes(handle.clone())),
        dialer: Arc::new(DirectDialer),
        blobs: crate::blobs::open(settings, path)?,
        logs,
        node_labels: None,
        registry_login: login,
        certificate,
        certificate_shown: Box::new(move |certificate| handle.default_certificate_publish(certificate.current())),
        clients: Clients::Direct,
        routes_besides: axum::Router::new(),
    };
    Ok((router, foundation))
}

fn router(
    settings: &Settings,
    data: &Path,
    sockets: ambo_router::Listeners,
    logs: &Arc<LogStore>,
    certificate: &PlatformCertificate,
) -> Router {
    let router_settings = RouterSettings {
        worker_count: sockets.http.len(),
        first_byte_timeout: Duration::from_secs(u64::from(settings.response_seconds.max(1))),
        drain_deadline: Duration::from_secs(u64::from(settings.shutdown_seconds)),
        table_path: Some(data.join("routes.json")),
        ..RouterSettings::default()
    };
    let logs = logs.clone();
    let access = Arc::new(LogLines(Arc::new(move |line| logs.append(line))));
    Router::with_listeners(router_settings, sockets, access, Some(certificate.current()))
}

/// The engine of this machine.
pub(crate) fn engine_settings(settings: &Settings) -> anyhow::Result<DockerSettings> {
    let given = Some(settings.engine.as_str()).filter(|address| !address.is_empty());
    Ok(match given {
        Some(address) => DockerSettings::parse(Some(address))?,
        None => DockerSettings::from_environment()?,
    })
}

fn scheduler_settings(
    settings: &Settings,
    data: &Data,
    login: &RegistryLogin,
) -> anyhow::Result<DockerSchedulerSettings> {
    Ok(DockerSchedulerSettings {
        network: settings.network.clone(),
        logins: Some(Arc::new(OwnRegistryLogin {
            registry: settings.listen_registry.to_string(),
            username: login.username.clone(),
            password: login.password.clone(),
        })),
        ..DockerSchedulerSettings::new(data.platform_id()?)
    })
}

/// A password for the platform's own use, good as long as this process.
fn random_password() -> Secret {
    Secret::new(format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()))
}
