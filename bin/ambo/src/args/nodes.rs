use ambo_operator::join_config::Provider;
use clap::{Args, Subcommand};

use super::ManagerArgs;

/// `nodes`.
#[derive(Debug, Subcommand)]
pub(crate) enum NodesCommand {
    /// List the machines of the cluster
    List(NodesList),
    /// Show one machine with what runs on it
    Info(NodesOne),
    /// Set labels of a machine, by which apps choose among them: region=eu, or region= to take one away
    Label(NodesLabel),
    /// Move everything away from a machine, without a failed request
    Drain(NodesOne),
    /// Let a machine take instances again
    Activate(NodesOne),
    /// Forget a machine that is gone for good
    #[command(visible_alias = "rm")]
    Remove(NodesOne),
    /// Print a cloud-config that makes a node of a fresh Debian or Ubuntu machine
    JoinConfig(NodesJoinConfig),
}

/// Arguments of `nodes list`.
#[derive(Debug, Args)]
pub(crate) struct NodesList {
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
}

/// Arguments of the commands about one machine.
#[derive(Debug, Args)]
pub(crate) struct NodesOne {
    /// Its name or id
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
}

/// Arguments of `nodes label`.
#[derive(Debug, Args)]
pub(crate) struct NodesLabel {
    /// Its name or id
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
    /// Labels to set
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
}

/// Arguments of `nodes join-config`.
#[derive(Debug, Args)]
pub(crate) struct NodesJoinConfig {
    /// azure, aws, gcp, digitalocean or bare
    #[arg(long, default_value = "bare")]
    pub(crate) provider: Provider,
    /// A label that the machine is to have
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = ambo_operator::joining::label_parse)]
    pub(crate) labels: Vec<(String, String)>,
    /// How long the token in it is good, in hours
    #[arg(long, default_value_t = 1, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=720))]
    pub(crate) hours: u32,
    #[command(flatten)]
    pub(crate) manager: ManagerArgs,
}
