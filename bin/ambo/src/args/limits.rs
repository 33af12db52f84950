use clap::{Args, Subcommand};

/// `limits`.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// List the limits of each process
    List(LimitsList),
    /// Limit a process
    Set(LimitsSet),
    /// Lift limits of a process
    Unset(LimitsUnset),
}

/// Arguments of `limits list`.
#[derive(Debug, Args)]
pub(crate) struct LimitsList {}

/// Arguments of `limits set`.
#[derive(Debug, Args)]
pub(crate) struct LimitsSet {
    /// The process, as in `web`; or `web=512M` for its memory
    #[arg(required = true, value_name = "PROCESS[=MEMORY]")]
    pub(crate) processes: Vec<String>,
    /// Memory per instance, as in `512M` or `2G`
    #[arg(short, long)]
    pub(crate) memory: Option<String>,
    /// Cores per instance, as in `0.5` or `500m`
    #[arg(short, long)]
    pub(crate) cpu: Option<String>,
}

/// Arguments of `limits unset`.
#[derive(Debug, Args)]
pub(crate) struct LimitsUnset {
    /// The processes
    #[arg(required = true, value_name = "PROCESS")]
    pub(crate) processes: Vec<String>,
    /// Only the limit on memory
    #[arg(short, long)]
    pub(crate) memory: bool,
    /// Only the limit on CPU
    #[arg(short, long)]
    pub(crate) cpu: bool,
}
