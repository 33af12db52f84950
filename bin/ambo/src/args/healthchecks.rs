use clap::{Args, Subcommand, ValueEnum};

/// `healthchecks`.
#[derive(Debug, Subcommand)]
pub(crate) enum HealthchecksCommand {
    /// List the health check of each process
    List(HealthchecksList),
    /// Set how a process is checked
    Set(HealthchecksSet),
    /// Return to the default check
    Unset(HealthchecksUnset),
}

/// Arguments of `healthchecks list`.
#[derive(Debug, Args)]
pub(crate) struct HealthchecksList {}

/// How an instance is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckKind {
    /// It accepts a connection on $PORT
    Tcp,
    /// It answers a request with a status below 400
    Http,
    /// It has stayed up for some seconds
    Uptime,
}

/// Arguments of `healthchecks set`.
#[derive(Debug, Args)]
pub(crate) struct HealthchecksSet {
    /// The process
    pub(crate) process: String,
    /// How it is asked
    #[arg(value_enum)]
    pub(crate) kind: CheckKind,
    /// With `http`: what is asked for
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// With `uptime`: seconds without an exit
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u32>,
    /// Seconds between two checks
    #[arg(long, value_name = "SECONDS")]
    pub(crate) interval: Option<u32>,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,
    /// Failures in a row that restart the instance
    #[arg(long, value_name = "COUNT")]
    pub(crate) failures: Option<u32>,
    /// Seconds that a new instance has to become healthy
    #[arg(long, value_name = "SECONDS")]
    pub(crate) start: Option<u32>,
}

/// Arguments of `healthchecks unset`.
#[derive(Debug, Args)]
pub(crate) struct HealthchecksUnset {
    /// The processes
    #[arg(required = true, value_name = "PROCESS")]
    pub(crate) processes: Vec<String>,
}
