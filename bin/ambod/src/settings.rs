//! What `ambod` can be told: by flags, by `AMBO_*` variables, by a TOML file, in that order.
//!
//! Every setting is written once, in the table at the end; flags, variables, the file's keys, `--help` and
//! `ambod settings` follow from it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ambo_backup::{Retention, Schedule};
use ambo_model::{ByteSize, Hostname};
use anyhow::{Context, bail};

/// A setting as `ambod settings` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The flag without its dashes; also the file's key.
    pub(crate) name: String,
    /// The variable.
    pub(crate) variable: &'static str,
    /// In force.
    pub(crate) value: String,
    /// `default`, `file` or `flag or variable`.
    pub(crate) from: &'static str,
    /// What it is for.
    pub(crate) about: &'static str,
}

/// What a process of the platform is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything, on one machine.
    All,
    /// The control plane, or a candidate for it.
    Controller,
    /// A node's public sockets, and the way to its engine.
    Agent,
    /// A node's router.
    Router,
    /// Answers DNS for the platform's domain, on a node.
    Dns,
    /// Sees to it that a node has its components; started by Swarm.
    Keeper,
}

impl Role {
    const NAMES: [(Self, &'static str); 6] = [
        (Self::All, "all"),
        (Self::Controller, "controller"),
        (Self::Agent, "agent"),
        (Self::Router, "router"),
        (Self::Dns, "dns"),
        (Self::Keeper, "keeper"),
    ];
}

impl Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(role, _)| role == self).map_or("", |(_, name)| name))
    }
}

/// There is no such role.
#[derive(Debug, thiserror::Error)]
#[error("no such role: use all, controller, agent, router, dns or keeper")]
pub(crate) struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(role, _)| *role).ok_or(UnknownRole)
    }
}

type File = BTreeMap<String, toml::Value>;

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $name:ident: $type:ty = $default:expr, $variable:literal;)+) => {
        /// Settings as they are given on the command line and in the environment.
        #[derive(Debug, Clone, Default, clap::Args)]
        pub(crate) struct Given {
            $($(#[doc = $about])+ #[arg(long, env = $variable, hide_env_values = true, global = true, help_heading = "Settings")]
            pub(crate) $name: Option<$type>,)+
        }

        /// Settings in force.
        #[derive(Debug, Clone)]
        pub(crate) struct Settings {
            $($(#[doc = $about])+ pub(crate) $name: $type,)+
        }

        impl Settings {
            fn merge(given: Given, mut file: File) -> anyhow::Result<(Self, Vec<Listed>)> {
                let mut listed = Vec::new();
                let settings = Self {$(
                    $name: {
                        let name = stringify!($name).replace('_', "-");
                        let default: $type = $default;
                        let in_file = file.remove(&name);
                        let (value, from) = pick(&name, given.$name, in_file, default)?;
                        let about = concat!($($about),+).trim();
                        listed.push(Listed { name, variable: $variable, value: value.to_string(), from, about });
                        value
                    },
                )+};
                if let Some(unknown) = file.keys().next() {
                    bail!("the settings file has an unknown key `{unknown}`; `ambod settings` lists the known ones");
                }
                Ok((settings, listed))
            }
        }
    };
}

fn pick<T>(name: &str, given: Option<T>, in_file: Option<toml::Value>, default: T) -> anyhow::Result<(T, &'static str)>
where
    T: FromStr + Display,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    if let Some(value) = given {
        return Ok((value, "flag or variable"));
    }
    let Some(value) = in_file else { return Ok((default, "default")) };
    let text = match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    let value = text.parse().with_context(|| format!("the settings file's `{name}` is `{text}`"))?;
    Ok((value, "file"))
}

impl Settings {
    /// Merges what is given with the file, if there is one: `--settings FILE`, else `ambod.toml` in the data directory.
    pub(crate) fn load(given: Given, file: Option<&Path>) -> anyhow::Result<(Self, Vec<Listed>)> {
        let data = given.data.clone().unwrap_or_else(default_data);
        let default = PathBuf::from(&data).join("ambod.toml");
        let path = file.unwrap_or(&default);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) if file.is_none() => return Err(crate::data::unusable(Path::new(&data), error)),
            Err(error) => return Err(error).with_context(|| format!("read the settings file {}", path.display())),
        };
        let values: File =
            toml::from_str(&text).with_context(|| format!("read the settings file {}", path.display()))?;
        Self::merge(given, values)
    }

    /// The port that users reach apps at.
    pub(crate) fn web_port(&self) -> u16 {
        if self.web_port == 0 { self.listen_http.port() } else { self.web_port }
    }
}

fn default_data() -> String {
    "ambo-data".to_owned()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn localhost() -> Hostname {
    #[allow(clippy::expect_used, reason = "a literal that parses")]
    Hostname::parse("localhost").expect("`localhost` is a hostname")
}

settings! {
    /// What this process is: all (one machine), or in a cluster controller, agent, router, dns or keeper
    role: Role = Role::All, "AMBO_ROLE";
    /// Directory of the platform's state: database, blobs, repositories, logs, keys
    data: String = default_data(), "AMBO_DATA";
    /// Address of the API and of git over HTTP
    listen_api: SocketAddr = loopback(7080), "AMBO_LISTEN_API";
    /// Address of the router for HTTP
    listen_http: SocketAddr = loopback(7000), "AMBO_LISTEN_HTTP";
    /// Address of the router for HTTPS
    listen_https: SocketAddr = loopback(7443), "AMBO_LISTEN_HTTPS";
    /// Address of git over SSH
    listen_ssh: SocketAddr = loopback(7022), "AMBO_LISTEN_SSH";
    /// Address of the image registry; the container engine pulls from it
    listen_registry: SocketAddr = loopback(7050), "AMBO_LISTEN_REGISTRY";
    /// Address at which Heroku's client attaches to one-off runs: TLS of its own
    listen_rendezvous: SocketAddr = loopback(7051), "AMBO_LISTEN_RENDEZVOUS";
    /// Host and port of that address as users reach it, when they are not the API's host and its own port: run.example.com:5000
    rendezvous_address: String = String::new(), "AMBO_RENDEZVOUS_ADDRESS";
    /// File with the certificate chain (PEM) of the platform's own hosts; empty issues one by an authority of its own. Read again when it changes
    tls_certificate: String = String::new(), "AMBO_TLS_CERTIFICATE";
    /// File with the private key of tls-certificate (PEM)
    tls_key: String = String::new(), "AMBO_TLS_KEY";
    /// Domain below which apps get their hosts: <app>.<domain>
    domain: Hostname = localhost(), "AMBO_DOMAIN";
    /// URL of the API as users reach it, when it is not its address: https://ambo.example.com
    api_url: String = String::new(), "AMBO_API_URL";
    /// Scheme of app URLs: http or https
    web_scheme: String = "http".to_owned(), "AMBO_WEB_SCHEME";
    /// Port of app URLs; 0 is the router's own
    web_port: u16 = 0, "AMBO_WEB_PORT";
    /// Address of the container engine: unix:///path or tcp://host:port; empty is the engine's own default
    engine: String = String::new(), "AMBO_ENGINE";
    /// Name of the network that instances are attached to
    network: String = "ambo".to_owned(), "AMBO_NETWORK";
    /// Who may register after the first account: open, closed or invitation
    registration: String = "closed".to_owned(), "AMBO_REGISTRATION";
    /// Builds side by side
    builds_max: u32 = 2, "AMBO_BUILDS_MAX";
    /// Longest build, in minutes
    build_minutes: u32 = 30, "AMBO_BUILD_MINUTES";
    /// Memory of build steps, such as 2G; 0B is unlimited
    build_memory: ByteSize = ByteSize::bytes(0), "AMBO_BUILD_MEMORY";
    /// Largest source of a build when unpacked
    source_max: ByteSize = ByteSize::gib(2), "AMBO_SOURCE_MAX";
    /// Most API requests of an account in a minute; 0 is any number
    requests_per_minute: u32 = 4500, "AMBO_REQUESTS_PER_MINUTE";
    /// Longest release phase, in minutes
    release_phase_minutes: u32 = 30, "AMBO_RELEASE_PHASE_MINUTES";
    /// Seconds that a deploy waits for the one before it
    deploy_wait_seconds: u32 = 60, "AMBO_DEPLOY_WAIT_SECONDS";
    /// Seconds from SIGTERM to SIGKILL of an instance, and for its requests in flight
    grace_seconds: u32 = 30, "AMBO_GRACE_SECONDS";
    /// How many of an app's newest releases keep their images
    releases_kept: u32 = 10, "AMBO_RELEASES_KEPT";
    /// Seconds that a pushed image stays without a release; longer than any push of one image takes
    image_grace_seconds: u32 = 7200, "AMBO_IMAGE_GRACE_SECONDS";
    /// Whether logs may be drained to addresses of this machine itself, where its private services answer: true or false
    drains_to_this_machine: bool = false, "AMBO_DRAINS_TO_THIS_MACHINE";
    /// Threads of the router; 0 is one per core
    router_workers: u32 = 0, "AMBO_ROUTER_WORKERS";
    /// Seconds that an app has to begin its response; then it is H12
    response_seconds: u32 = 30, "AMBO_RESPONSE_SECONDS";
    /// Seconds that a stopping ambod has to finish what is at hand
    shutdown_seconds: u32 = 30, "AMBO_SHUTDOWN_SECONDS";
    /// Where the state is: empty for SQLite in the data directory, or etcd://10.0.0.1:2379,10.0.0.2:2379
    store: String = String::new(), "AMBO_STORE";
    /// File with the root (PEM) of etcd's certificates; given, etcd is reached over TLS
    store_ca: String = String::new(), "AMBO_STORE_CA";
    /// File with our own certificate for etcd (PEM), if it wants one
    store_certificate: String = String::new(), "AMBO_STORE_CERTIFICATE";
    /// File with the private key of store-certificate (PEM)
    store_key: String = String::new(), "AMBO_STORE_KEY";
    /// User of etcd, if it wants one; the password is read from AMBO_STORE_PASSWORD
    store_user: String = String::new(), "AMBO_STORE_USER";
    /// Where images and repositories are: empty for the data directory, or disk:/path, s3://bucket/prefix, azure://container, gs://bucket
    blobs: String = String::new(), "AMBO_BLOBS";
    /// Where the platform keeps backups of itself: disk:/path, s3://bucket/prefix, azure://container, gs://bucket; empty for none
    backup_to: String = String::new(), "AMBO_BACKUP_TO";
    /// When it makes them: daily 03:00 (UTC), or every 6h
    backup_every: Schedule = Schedule::default(), "AMBO_BACKUP_EVERY";
    /// Which it keeps: 3,7d,4w is the newest 3, and the newest of each of 7 days and of 4 weeks
    backup_keep: Retention = Retention::default(), "AMBO_BACKUP_KEEP";
    /// Who can open backups, as in age1…,age1…; empty for whoever knows the passphrase in AMBO_BACKUP_PASSPHRASE
    backup_recipients: String = String::new(), "AMBO_BACKUP_RECIPIENTS";
    /// In a cluster: whether etcd's members are on the managers, and come and go with them: true or false
    store_members: bool = false, "AMBO_STORE_MEMBERS";
    /// In a cluster: how many managers there are to be, an odd number: 3 bear the loss of one, 5 of two
    managers: u32 = 3, "AMBO_MANAGERS";
    /// In a cluster: seconds after which a manager that is down counts as lost, and another node takes its place
    node_lost_seconds: u32 = 600, "AMBO_NODE_LOST_SECONDS";
    /// In a cluster: the archive that its first leader makes the platform of: s3://bucket/prefix/ambo-….ambo
    restore_from: String = String::new(), "AMBO_RESTORE_FROM";
    /// In a cluster: this node's id, as the engine has it
    node: String = String::new(), "AMBO_NODE";
    /// In a cluster: directory with node.crt, node.key and ca.crt, which the platform's machines know each other by
    identity: String = String::new(), "AMBO_IDENTITY";
    /// In a cluster: the controllers' links, as in 10.0.0.1:7052,10.0.0.2:7052
    controllers: String = String::new(), "AMBO_CONTROLLERS";
    /// In a cluster: address of a controller's link
    listen_link: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 7052)), "AMBO_LISTEN_LINK";
    /// In a cluster: address of an agent's link
    listen_agent: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 7053)), "AMBO_LISTEN_AGENT";
    /// In a cluster: address at which DNS is answered for the domain, over UDP and TCP
    listen_dns: SocketAddr = SocketAddr::from(([0, 0, 0, 0], 53)), "AMBO_LISTEN_DNS";
    /// In a cluster: the image that keepers make components of
    keeper_image: String = String::new(), "AMBO_KEEPER_IMAGE";
    /// In a cluster: what keepers do: run or stop
    keeper_mode: String = "run".to_owned(), "AMBO_KEEPER_MODE";
    /// In a cluster: whether DNS is answered, where that has changed since the installation: true or false
    keeper_dns: String = String::new(), "AMBO_KEEPER_DNS";
    /// In a cluster: directory in which the components of a node meet
    run: String = "/var/lib/ambo/run".to_owned(), "AMBO_RUN";
    /// What is logged: error, warn, info, debug, or a filter such as info,ambo_router=debug
    log: String = "info".to_owned(), "AMBO_LOG";
    /// How it is logged: text or json
    log_format: String = "text".to_owned(), "AMBO_LOG_FORMAT";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.toml");
        std::fs::write(&path, "domain = \"example.com\"\nbuilds-max = 5\nsource-max = \"3G\"\n").unwrap();
        let given = Given { builds_max: Some(7), ..Given::default() };
        let (settings, listed) = Settings::load(given, Some(&path)).unwrap();
        assert_eq!((settings.builds_max, settings.domain.as_str()), (7, "example.com"));
        assert_eq!(settings.source_max, ByteSize::gib(3));
        let from = |name: &str| listed.iter().find(|setting| setting.name == name).unwrap().from;
        assert_eq!((from("builds-max"), from("domain"), from("listen-api")), ("flag or variable", "file", "default"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.toml");
        std::fs::write(&path, "domian = \"x\"\n").unwrap();
        let error = Settings::load(Given::default(), Some(&path)).unwrap_err();
        assert!(error.to_string().contains("`domian`"), "{error}");
    }
}
