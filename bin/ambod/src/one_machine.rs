//! One machine: instances on its engine, the router in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambo_api::Clients;
use ambo_builder::RegistryLogin;
use ambo_controller::ports::DirectDialer;
use ambo_engine_docker::{DockerSettings, Engine};
use ambo_logs::{LogSettings, LogStore};
use ambo_metrics::{NodeReport, RequestCounts};
use ambo_model::Secret;
use ambo_registry::PLATFORM_USERNAME;
use ambo_router::{AccessSink, LogLines, Router, RouterHandle, RouterSettings};
use ambo_scheduler_docker::{DockerScheduler, DockerSchedulerSettings};
use async_trait::async_trait;

use crate::adapters::{LocalRoutes, OwnRegistryLogin};
use crate::certificate::PlatformCertificate;
use crate::data::Data;
use crate::metrics::{CountedLines, NodeSamples, Sampler, sample_of_router};
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
    let counts = Arc::new(RequestCounts::default());
    let router = router(settings, path, sockets, sink(&logs, &counts), &certificate);
    let login = RegistryLogin { username: PLATFORM_USERNAME.to_owned(), password: random_password() };
    let engine = Engine::connect(engine_settings(settings)?)?;
    let handle = router.handle();
    let samples = OneSample {
        sampler: Sampler { engine: engine.clone(), disk: path.to_owned() },
        platform: data.platform_id()?,
        router: handle.clone(),
        counts,
    };
    let foundation = Foundation {
        store,
        scheduler: Arc::new(DockerScheduler::new(engine.clone(), scheduler_settings(settings, data, &login)?)),
        build_engines: Arc::new(engine),
        routes: Arc::new(LocalRoutes(handle.clone())),
        dialer: Arc::new(DirectDialer),
        blobs: crate::blobs::open(settings, path)?,
        logs,
        node_samples: Arc::new(samples),
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
    access: Arc<dyn AccessSink>,
    certificate: &PlatformCertificate,
) -> Router {
    let router_settings = RouterSettings {
        worker_count: sockets.http.len(),
        first_byte_timeout: Duration::from_secs(u64::from(settings.response_seconds.max(1))),
        drain_deadline: Duration::from_secs(u64::from(settings.shutdown_seconds)),
        table_path: Some(data.join("routes.json")),
        ..RouterSettings::default()
    };
    Router::with_listeners(router_settings, sockets, access, Some(certificate.current()))
}

/// Keeps and counts requests.
fn sink(logs: &Arc<LogStore>, counts: &Arc<RequestCounts>) -> Arc<dyn AccessSink> {
    let (logs, counts) = (logs.clone(), counts.clone());
    Arc::new(CountedLines { lines: LogLines(Arc::new(move |line| logs.append(line))), counts })
}

/// What the only node measures.
struct OneSample {
    sampler: Sampler,
    platform: String,
    router: RouterHandle,
    counts: Arc<RequestCounts>,
}

#[async_trait]
impl NodeSamples for OneSample {
    async fn reports(&self) -> Vec<NodeReport> {
        let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let router = sample_of_router(&self.router, &self.counts);
        let sample = self.sampler.sample(&self.platform, Some(router)).await;
        let told = |error: &_| tracing::warn!(error = error as &dyn std::error::Error, "this machine is not measured");
        vec![NodeReport { node, sample: sample.inspect_err(told).ok() }]
    }
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
