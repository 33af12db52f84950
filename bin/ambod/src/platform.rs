//! The platform assembled: every station with its driver, wired to the others.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambo_api::{Api, ApiSettings, RendezvousAddress, SshAddress};
use ambo_builder::{BuildLimits, BuilderSettings, DockerBuilder, RegistryLogin};
use ambo_controller::accounts::{Accounts, RegistrationMode};
use ambo_controller::git::GitPlatform;
use ambo_controller::vault::Vault;
use ambo_controller::{Controller, ControllerSettings, Stations};
use ambo_engine_docker::{DockerSettings, Engine};
use ambo_gitreceive::{GitServer, GitSettings, SshServer, SshSettings};
use ambo_logs::{LogSettings, LogStore};
use ambo_model::{ByteSize, Hostname, Secret};
use ambo_registry::{DiskBlobStore, PLATFORM_USERNAME, Registry};
use ambo_rendezvous::{RendezvousServer, RendezvousSettings};
use ambo_router::{LogLines, Router, RouterSettings};
use ambo_scheduler_docker::{DockerScheduler, DockerSchedulerSettings};
use ambo_store::SqliteStore;
use anyhow::Context;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::access::RegistryAccess;
use crate::adapters::{AttachedPrograms, LocalArtifacts, LocalRoutes, OwnRegistryLogin};
use crate::certificate::PlatformCertificate;
use crate::data::Data;
use crate::listeners::Listeners;
use crate::settings::Settings;

/// Output of one build that is passed on.
const BUILD_OUTPUT_BYTES_MAX: u64 = 16 << 20;
/// Size that the engine's build cache is pruned to.
const BUILD_CACHE_SIZE: ByteSize = ByteSize::gib(10);

/// Everything, ready to run.
pub(crate) struct Platform {
    pub(crate) controller: Arc<Controller>,
    logs: Arc<LogStore>,
    git: GitServer,
    ssh: SshServer,
    registry: Registry,
    router: Router,
    api: ApiSettings,
    api_listener: TcpListener,
    /// For the API. WebSockets need HTTP/1.1.
    api_tls: Arc<ServerConfig>,
    registry_listener: TcpListener,
    /// For the registry, where other machines reach it. On the loopback the engine would encrypt each image for nothing.
    registry_tls: Option<Arc<ServerConfig>>,
    rendezvous: RendezvousServer,
    certificate: PlatformCertificate,
}

/// What runs, and how it is stopped: the router apart from the rest, since it goes on during a restart.
pub(crate) struct Running {
    /// Everything that must have let go of the data directory before a successor serves.
    pub(crate) control: Control,
    /// Serves users' requests.
    pub(crate) router: RunningRouter,
}

/// The control plane and its servers.
pub(crate) struct Control {
    controller: Arc<Controller>,
    roles: JoinSet<&'static str>,
    accepting: CancellationToken,
    logs: Arc<LogStore>,
}

/// The router.
pub(crate) struct RunningRouter {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Platform {
    /// Wires the stations. Nothing is served yet.
    pub(crate) async fn assemble(settings: &Settings, data: &Data, listeners: Listeners) -> anyhow::Result<Self> {
        let path = data.path();
        let logs = Arc::new(LogStore::open(&path.join("logs"), LogSettings::default())?);
        let store = Arc::new(SqliteStore::open(&path.join("state.db")).context("open the state")?);
        let certificate = PlatformCertificate::open(settings, data)?;
        let router = router(settings, path, &listeners, &logs, &certificate)?;
        let login = RegistryLogin { username: PLATFORM_USERNAME.to_owned(), password: random_password() };
        let engine = Engine::connect(engine_settings(settings)?)?;
        let builder_settings = BuilderSettings { work_directory: path.join("builds"), cache_size: BUILD_CACHE_SIZE };
        let builder = Arc::new(DockerBuilder::open(engine.clone(), builder_settings)?);
        let artifacts = LocalArtifacts {
            builder: builder.clone(),
            registry: OnceLock::new().into(),
            git: OnceLock::new().into(),
            uploads: path.join("uploads"),
        };
        let stations = Stations {
            store: store.clone(),
            scheduler: Arc::new(DockerScheduler::new(engine, scheduler_settings(settings, data, &login)?)),
            builder,
            routes: Arc::new(LocalRoutes(router.handle())),
            dialer: Arc::new(ambo_controller::ports::DirectDialer),
            artifacts: Arc::new(artifacts.clone()),
            logs: logs.clone(),
        };
        let accounts = Accounts::new(store).with_registration(registration_mode(&settings.registration)?);
        let controller = Controller::new(stations, accounts, vault(path)?, controller_settings(settings, &login)?);
        let registry = registry(settings, path, &controller, &login.password)?;
        let git = git_server(path, &controller).await?;
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
            router,
            api: api_settings(settings, path, &certificate)?,
            api_listener: from_std(listeners.api)?,
            registry_listener: from_std(listeners.registry)?,
            registry_tls: (!settings.listen_registry.ip().is_loopback()).then(|| http_tls.clone()),
            api_tls: http_tls,
            rendezvous,
            certificate,
        })
    }

    /// Serves: the router first, with its last good table; then everything else.
    pub(crate) fn start(self, drain: Duration) -> Running {
        let handle = self.router.handle();
        let router = RunningRouter::start(self.router);
        let accepting = CancellationToken::new();
        let mut roles = JoinSet::new();
        let (logs, logs_stop) = (self.logs.clone(), CancellationToken::new());
        let logs_stopped = logs_stop.clone();
        roles.spawn(async move {
            logs.run(logs_stopped).await;
            "logs"
        });
        let controller = self.controller.clone();
        roles.spawn(async move {
            controller.run().await;
            "control plane"
        });
        let (git, stop) = (self.git.clone(), accepting.clone());
        roles.spawn(async move {
            git.run(stop).await;
            "git"
        });
        let (ssh, stop) = (self.ssh, accepting.clone());
        roles.spawn(async move {
            ssh.run(stop).await;
            "SSH"
        });
        let (rendezvous, stop) = (self.rendezvous, accepting.clone());
        roles.spawn(async move {
            rendezvous.run(stop).await;
            "rendezvous"
        });
        let (certificate, stop) = (self.certificate, accepting.clone());
        roles.spawn(async move {
            certificate.run(handle, stop).await;
            "platform certificate"
        });
        let api = ambo_api::router(Api::new(self.controller.clone(), self.api, accepting.clone()));
        let api = api.merge(self.git.http_router());
        let (listener, tls, stop) = (self.api_listener, Some(self.api_tls), accepting.clone());
        roles.spawn(async move {
            ambo_api::serve(listener, api, tls, stop, drain).await;
            "API"
        });
        let (listener, registry, stop) = (self.registry_listener, self.registry.router(), accepting.clone());
        let tls = self.registry_tls;
        roles.spawn(async move {
            ambo_api::serve(listener, registry, tls, stop, drain).await;
            "registry"
        });
        let control = Control { controller: self.controller, roles, accepting, logs: self.logs };
        Running { control, router }
    }
}

impl Control {
    /// Resolves with the name of a role that has ended by itself, which none should.
    pub(crate) async fn ended(&mut self) -> &'static str {
        match self.roles.join_next().await {
            Some(Ok(role)) => role,
            Some(Err(_)) | None => "a role that panicked",
        }
    }

    /// Accepts nothing more, cancels deploys, hands jobs back, ends every role; whatever is left at the deadline is cut.
    pub(crate) async fn stop(mut self, deadline: Duration) {
        self.controller.stop();
        self.accepting.cancel();
        let ended = async {
            self.controller.stopped().await;
            while self.roles.len() > 1 {
                let _ = self.roles.join_next().await;
            }
        };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            tracing::warn!(roles = self.roles.len(), "the deadline has passed: what is left is cut");
        }
        self.logs.flush().await;
        self.roles.shutdown().await;
    }
}

impl RunningRouter {
    fn start(router: Router) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::task::spawn(async move {
            match router.run(stopped.cancelled_owned()).await {
                Ok(stopped) if stopped.cut_off > 0 => {
                    tracing::warn!(connections = stopped.cut_off, "cut off at the end")
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "the router has failed"),
            }
        });
        Self { stop, task }
    }

    /// Resolves when the router has ended by itself, which it should not.
    pub(crate) async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Accepts nothing more and finishes what is in flight.
    pub(crate) async fn stop(self, deadline: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(deadline, self.task).await.is_err() {
            tracing::warn!("the deadline has passed: the router is cut");
        }
    }
}

fn router(
    settings: &Settings,
    data: &Path,
    listeners: &Listeners,
    logs: &Arc<LogStore>,
    certificate: &PlatformCertificate,
) -> anyhow::Result<Router> {
    let router_settings = RouterSettings {
        worker_count: listeners.http.len(),
        first_byte_timeout: Duration::from_secs(u64::from(settings.response_seconds.max(1))),
        drain_deadline: Duration::from_secs(u64::from(settings.shutdown_seconds)),
        table_path: Some(data.join("routes.json")),
        ..RouterSettings::default()
    };
    let sockets = ambo_router::Listeners {
        http: listeners.http.iter().map(std::net::TcpListener::try_clone).collect::<Result<_, _>>()?,
        https: listeners.https.iter().map(std::net::TcpListener::try_clone).collect::<Result<_, _>>()?,
    };
    let logs = logs.clone();
    let access = Arc::new(LogLines(Arc::new(move |line| logs.append(line))));
    Ok(Router::with_listeners(router_settings, sockets, access, Some(certificate.current())))
}

fn engine_settings(settings: &Settings) -> anyhow::Result<DockerSettings> {
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

fn vault(data: &Path) -> anyhow::Result<Vault> {
    match std::env::var("AMBO_MASTER_KEY") {
        Ok(key) => Ok(Vault::with_key(&Secret::new(key))?),
        Err(_) => Ok(Vault::with_key_file(&data.join("master.key"))?),
    }
}

fn registry(
    settings: &Settings,
    data: &Path,
    controller: &Arc<Controller>,
    password: &Secret,
) -> anyhow::Result<Registry> {
    let directory = data.join("registry");
    let blobs = Arc::new(DiskBlobStore::open(directory.join("blobs"))?);
    let settings = ambo_registry::Settings {
        platform_password: Some(password.clone()),
        grace: Duration::from_secs(u64::from(settings.image_grace_seconds)),
        ..ambo_registry::Settings::new(directory.join("uploads"))
    };
    Ok(Registry::new(blobs, Arc::new(RegistryAccess(controller.clone())), settings)?)
}

async fn git_server(data: &Path, controller: &Arc<Controller>) -> anyhow::Result<GitServer> {
    let program = std::env::current_exe().context("find this program's file")?;
    let platform = Arc::new(GitPlatform(controller.clone()));
    Ok(GitServer::open(GitSettings::new(data, program), platform.clone(), platform).await?)
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

fn from_std(listener: std::net::TcpListener) -> anyhow::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

/// A password for the platform's own use, good as long as this process.
fn random_password() -> Secret {
    Secret::new(format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()))
}
