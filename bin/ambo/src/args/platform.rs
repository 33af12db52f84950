use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::backup::{PlatformBackup, PlatformRestore};

/// `platform`.
#[derive(Debug, Subcommand)]
pub(crate) enum PlatformCommand {
    /// Put the platform on a swarm
    Install(PlatformInstall),
    /// Start the components of every node again
    Start(PlatformChange),
    /// Stop the components of every node; apps go on, but nobody reaches them
    Stop(PlatformChange),
    /// Show every component and node, and what to do about what is not well
    Status(PlatformStatus),
    /// Print the DNS records that lead users to the nodes
    Dns(PlatformDns),
    /// Go from node to node with a new image, or with DNS on or off; goes back by itself when a node does not become healthy
    Upgrade(PlatformUpgrade),
    /// Back the whole platform up, while it runs
    Backup(PlatformBackup),
    /// Make a platform of a backup on this machine, where there is none
    Restore(PlatformRestore),
    /// Take the platform off the swarm; its data stays on the nodes
    Uninstall(PlatformChange),
}

/// Where a manager's engine is.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// A manager's engine: unix:///path, tcp://HOST:PORT or ssh://USER@HOST
    #[arg(long, env = "DOCKER_HOST", value_name = "ADDRESS", hide_env_values = true)]
    pub(crate) engine: Option<String>,
    /// A directory with ca.pem, cert.pem and key.pem: TLS for tcp://
    #[arg(long, env = "DOCKER_CERT_PATH", value_name = "DIRECTORY", hide_env_values = true)]
    pub(crate) engine_certificates: Option<PathBuf>,
}

/// How a manager of the swarm is reached.
#[derive(Debug, Args)]
pub(crate) struct ManagerArgs {
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// How long to wait until every node is healthy, in seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) wait: u64,
}

/// Arguments of `platform install`.
#[derive(Debug, Args)]
pub(crate) struct PlatformInstall {
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
    /// The platform's image, as the nodes' engines find it
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: String,
    /// Domain below which apps get their hosts: <app>.<domain>
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: String,
    /// Where images and repositories are: s3://bucket, azure://container, gs://bucket, or disk:/path that all managers share
    #[arg(long, value_name = "URL")]
    pub(crate) blobs: String,
    /// A given etcd: etcd://HOST:PORT,…; without it, one runs on the managers
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// A variable of the object store's credentials, from this environment (AWS_ACCESS_KEY_ID …)
    #[arg(long, value_name = "NAME")]
    pub(crate) credential: Vec<String>,
    /// A setting of ambod, as `ambod settings` lists them: build-minutes=60
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Bring back the platform of a backup: its archive in a bucket, or the bucket for the newest. What opens it is read from
    /// AMBO_BACKUP_PASSPHRASE or AMBO_BACKUP_IDENTITY. `--blobs` must be empty
    #[arg(long, value_name = "URL")]
    pub(crate) restore: Option<String>,
    /// Answer DNS for the domain on every node's port 53, with the nodes that are well
    #[arg(long)]
    pub(crate) dns: bool,
}

/// Arguments of `platform dns`.
#[derive(Debug, Args)]
pub(crate) struct PlatformDns {
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// The domain, if not the platform's own
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Where users reach the platform, if not at its nodes: a load balancer's address
    #[arg(long, value_name = "IP")]
    pub(crate) address: Vec<std::net::IpAddr>,
}

/// Arguments of `platform start`, `stop` and `uninstall`.
#[derive(Debug, Args)]
pub(crate) struct PlatformChange {
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
}

/// Arguments of `platform upgrade`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").args(["image", "dns", "no_dns"]).required(true).multiple(true)))]
pub(crate) struct PlatformUpgrade {
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
    /// The new image
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Answer DNS for the domain on every node's port 53 from now on
    #[arg(long)]
    pub(crate) dns: bool,
    /// Answer DNS no more; the zone above must not name the nodes as its servers by then
    #[arg(long, conflicts_with = "dns")]
    pub(crate) no_dns: bool,
}

impl PlatformUpgrade {
    /// Whether DNS is to be answered from now on, if anything was said about it.
    pub(crate) fn dns(&self) -> Option<bool> {
        (self.dns || self.no_dns).then_some(self.dns)
    }
}

/// Arguments of `platform status`.
#[derive(Debug, Args)]
pub(crate) struct PlatformStatus {
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
}
