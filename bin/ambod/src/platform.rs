//! The control plane assembled: every station with its driver, wired to the others.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambo_api::{Api, ApiSettings, Clients, RendezvousAddress, SshAddress};
use ambo_builder::{BuildEngines, BuildLimits, BuilderSettings, DockerBuilder, RegistryLogin};
use ambo_controller::accounts::{Accounts, RegistrationMode};
use ambo_controller::git::GitPlatform;
use ambo_controller::ports::{Dialer, NodeLabels, Routes};
use ambo_controller::vault::Vault;
use ambo_controller::{Controller, ControllerSettings, Stations};
use ambo_gitreceive::{GitServer, SshServer, SshSettings};
use ambo_logs::LogStore;
use ambo_model::{ByteSize, Hostname, Secret};
use ambo_registry::{BlobStore, Registry};
use ambo_rendezvous::{RendezvousServer, RendezvousSettings};
use ambo_scheduler::Scheduler;
use ambo_store::Store;
use anyhow::Context;
use axum::middleware::from_fn_with_state;
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::access::RegistryAccess;
use crate::adapters::{AttachedPrograms, LocalArtifacts};
use crate::backup::{BackupWorker, PlatformBackups, PlatformRepositories, Removals, removals_wait};
use crate::certificate::{CertificateShown, PlatformCertificate};
use crate::listeners::{ControlListeners, from_std};
use crate::metrics::{NodeSamples, PlatformMetrics};
use crate::running::Control;
use crate::settings::Settings;

/// Output of one build that is passed on.
const BUILD_OUTPUT_BYTES_MAX: u64 = 16 << 20;
/// Size that the engine's build cache is pruned to.
const BUILD_CACHE_SIZE: ByteSize = ByteSize::gib(10);

/// What a control plane stands on: the parts that one machine and a cluster have of different make.
pub(crate) struct Foundation {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) scheduler: Arc<dyn Scheduler>,
    /// Build images.
    pub(crate) build_engines: Arc<dyn BuildEngines>,
    pub(crate) routes: Arc<dyn Routes>,
    pub(crate) dialer: Arc<dyn Dialer>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) logs: Arc<LogStore>,
    /// What the nodes measure.
    pub(crate) node_samples: Arc<dyn NodeSamples>,
    /// The labels of a cluster's nodes.
    pub(crate) node_labels: Option<Arc<dyn NodeLabels>>,
    /// With which the platform's own engines pull and push.
    pub(crate) registry_login: RegistryLogin,
    pub(crate) certificate: PlatformCertificate,
    /// Whoever shows the platform's certificate to users.
    pub(crate) certificate_shown: CertificateShown,
    /// Who connects to the servers.
    pub(crate) clients: Clients,
    /// What is answered on the API's port besides.
    pub(crate) routes_besides: axum::Router,
}

/// The control plane, ready to run.
pub(crate) struct Platform {
    pub(crate) controller: Arc<Controller>,
    logs: Arc<LogStore>,
    git: GitServer,
    ssh: SshServer,
    registry: Registry,
    backups: (Arc<PlatformBackups>, BackupWorker),
    metrics: PlatformMetrics,
    removals: Removals,
    api: ApiSettings,
    clients: Clients,
    routes_besides: axum::Router,
    api_listener: TcpListener,
    /// For the API. WebSockets need HTTP/1.1.
    api_tls: Arc<ServerConfig>,
    registry_listener: TcpListener,
    /// For the registry, where other machines reach it. On the loopback the engine would encrypt each image for nothing.
    registry_tls: Option<Arc<ServerConfig>>,
    rendezvous: RendezvousServer,
    certificate: PlatformCertificate,
    certificate_shown: CertificateShown,
}

impl Platform {
    /// Wires the stations. Nothing is served yet.
    pub(crate) async fn assemble(
        settings: &Settings,
        path: &Path,
        foundation: Foundation,
        listeners: ControlListeners,
    ) -> anyhow::Result<Self> {
        let Foundation { store, logs, registry_login: login, certificate, .. } = foundation;
        let builder_settings = BuilderSettings { work_directory: path.join("builds"), cache_size: BUILD_CACHE_SIZE };
        let builder = Arc::new(DockerBuilder::open(foundation.build_engines, builder_settings)?);
        let removals = Removals::default();
        let artifacts = LocalArtifacts {
            builder: builder.clone(),
            registry: OnceLock::new().into(),
            git: OnceLock::new().into(),
            uploads: path.join("uploads"),
            removals: removals.clone(),
        };
        let stations = Stations {
            store: store.clone(),
            scheduler: foundation.scheduler,
            builder,
            routes: foundation.routes,
            dialer: foundation.dialer,
            artifacts: Arc::new(artifacts.clone()),
            logs: logs.clone(),
            nodes: foundation.node_labels,
        };
        let accounts = Accounts::new(store.clone()).with_registration(registration_mode(&settings.registration)?);
        let controller = Controller::new(stations, accounts, vault(path)?, controller_settings(settings, &login)?);
        let registry = registry(settings, path, foundation.blobs.clone(), &controller, &login.password)?;
        let git_settings = crate::blobs::git_settings(settings, path)?;
        let git_platform = Arc::new(GitPlatform(controller.clone()));
        let git = GitServer::open(git_settings.clone(), git_platform.clone(), git_platform).await?;
        let repositories = PlatformRepositories::new(git.repositories().clone(), &git_settings);
        let kept = (store, foundation.blobs, repositories);
        let backups = PlatformBackups::new(settings, path.to_owned(), kept, controller.clone(), removals.clone())?;
        let metrics = PlatformMetrics::new(controller.clone(), foundation.node_samples);
        let _ = artifacts.registry.set(registry.clone());
        let _ = artifacts.git.set(git.clone());
        let ssh = SshServer::with_listener(git.clone(), SshSettings::new(path), from_std(listeners.ssh)?)?;
        let rendezvous = RendezvousServer::new(
            from_std(listeners.rendezvous)?,
            certificate.server_config(&[])?,
            Arc::new(AttachedPrograms(controller.clone())),
            RendezvousSettings::default(),
        );
        let http_tls = certificate.server_config(&["http/1.1"])?;
        Ok(Self {
            controller,
            logs,
            git,
            ssh,
            registry,
            backups,
            metrics,
            removals,
            api: api_settings(settings, path, &certificate)?,
            clients: foundation.clients,
            routes_besides: foundation.routes_besides,
            api_listener: from_std(listeners.api)?,
            registry_listener: from_std(listeners.registry)?,
            registry_tls: (!settings.listen_registry.ip().is_loopback()).then(|| http_tls.clone()),
            api_tls: http_tls,
            rendezvous,
            certificate,
            certificate_shown: foundation.certificate_shown,
        })
    }

    /// Serves.
    pub(crate) fn start(self, drain: Duration) -> Control {
        let mut control = Control::start(self.controller.clone(), self.logs);
        let accepting = || control.accepting();
        let (git, ssh, rendezvous) = (self.git.clone(), self.ssh, self.rendezvous);
        let (git_stop, ssh_stop, rendezvous_stop) = (accepting(), accepting(), accepting());
        let (backups, backup_worker) = self.backups;
        let backups_stop = accepting();
        let api = Api::new(self.controller, self.api, accepting());
        let api = ambo_api::router(api.with_backups(backups).with_metrics(Arc::new(self.metrics)));
        let api = api.merge(self.git.http_router()).merge(self.routes_besides);
        let api = ambo_api::serve(self.api_listener, self.clients, api, Some(self.api_tls), accepting(), drain);
        let registry = self.registry.router().layer(from_fn_with_state(self.removals, removals_wait));
        let registry =
            ambo_api::serve(self.registry_listener, self.clients, registry, self.registry_tls, accepting(), drain);
        let certificate = self.certificate.run(self.certificate_shown, accepting());
        control.add("git", async move { git.run(git_stop).await });
        control.add("SSH", async move { ssh.run(ssh_stop).await });
        control.add("rendezvous", async move { rendezvous.run(rendezvous_stop).await });
        control.add("backups", async move { backup_worker.run(backups_stop).await });
        control.add("platform certificate", certificate);
        control.add("API", api);
        control.add("registry", registry);
        control
    }
}

fn controller_settings(settings: &Settings, login: &RegistryLogin) -> anyhow::Result<ControllerSettings> {
    let seconds = |count: u32| Duration::from_secs(u64::from(count));
    let mut platform_hosts = vec![settings.domain.clone()];
    for name in ["api", "ambo", "git", "registry"] {
        platform_hosts.push(Hostname::parse(&format!("{name}.{}", settings.domain))?);
    }
    if let Ok(url) = settings.api_url.parse::<url::Url>() {
        platform_hosts.extend(url.host_str().and_then(|host| Hostname::parse(host).ok()));
    }
    Ok(ControllerSettings {
        domain: settings.domain.clone(),
        platform_hosts,
        web_scheme: settings.web_scheme.clone(),
        web_port: settings.web_port(),
        registry: settings.listen_registry.to_string(),
        registry_login: login.clone(),
        builds_max: settings.builds_max.max(1) as usize,
        build_limits: BuildLimits {
            duration: seconds(settings.build_minutes * 60),
            memory: Some(settings.build_memory).filter(|memory| memory.as_u64() > 0),
            output_bytes: BUILD_OUTPUT_BYTES_MAX,
            source: settings.source_max,
        },
        grace: seconds(settings.grace_seconds),
        release_phase_max: seconds(settings.release_phase_minutes * 60),
        deploy_wait: seconds(settings.deploy_wait_seconds),
        releases_kept: settings.releases_kept as usize,
        drain_guard: match settings.drains_to_this_machine {
            true => ambo_model::address::refusal_beyond_this_machine,
            false => ambo_model::address::refusal,
        },
    })
}

fn registration_mode(text: &str) -> anyhow::Result<RegistrationMode> {
    match text {
        "open" => Ok(RegistrationMode::Open),
        "closed" => Ok(RegistrationMode::Closed),
        "invitation" => Ok(RegistrationMode::Invitation),
        other => anyhow::bail!("the setting `registration` is `{other}`: use open, closed or invitation"),
    }
}

/// The platform's master key, from the environment or its file.
pub(crate) fn vault(data: &Path) -> anyhow::Result<Vault> {
    match std::env::var("AMBO_MASTER_KEY") {
        Ok(key) => Ok(Vault::with_key(&Secret::new(key))?),
        Err(_) => Ok(Vault::with_key_file(&data.join("master.key"))?),
    }
}

fn registry(
    settings: &Settings,
    data: &Path,
    blobs: Arc<dyn BlobStore>,
    controller: &Arc<Controller>,
    password: &Secret,
) -> anyhow::Result<Registry> {
    let settings = ambo_registry::Settings {
        platform_password: Some(password.clone()),
        grace: Duration::from_secs(u64::from(settings.image_grace_seconds)),
        ..ambo_registry::Settings::new(data.join("registry/uploads"))
    };
    Ok(Registry::new(blobs, Arc::new(RegistryAccess(controller.clone())), settings)?)
}

fn api_settings(settings: &Settings, data: &Path, certificate: &PlatformCertificate) -> anyhow::Result<ApiSettings> {
    let uploads = data.join("uploads");
    std::fs::create_dir_all(&uploads).context("make the directory of uploads")?;
    Ok(ApiSettings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: Some(settings.api_url.clone()).filter(|url| !url.is_empty()),
        ssh: Some(SshAddress { host: settings.listen_ssh.ip().to_string(), port: settings.listen_ssh.port() }),
        rendezvous: Some(rendezvous_address(settings)?),
        authority: certificate.authority().map(str::to_owned),
        uploads,
        upload_bytes_max: settings.source_max.as_u64(),
        requests_per_minute_max: settings.requests_per_minute,
    })
}

fn rendezvous_address(settings: &Settings) -> anyhow::Result<RendezvousAddress> {
    let given = settings.rendezvous_address.as_str();
    if given.is_empty() {
        return Ok(RendezvousAddress { host: None, port: settings.listen_rendezvous.port() });
    }
    let parsed = given.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.with_context(|| {
        format!("the setting `rendezvous-address` is `{given}`: give host and port, as in run.example.com:5000")
    })?;
    Ok(RendezvousAddress { host: Some(host.to_owned()), port })
}
