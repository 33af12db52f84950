use clap::{Args, Subcommand};

/// `builds`.
#[derive(Debug, Subcommand)]
pub(crate) enum BuildsCommand {
    /// List an app's builds, newest first
    List(BuildsList),
    /// Describe a build
    Info(BuildsInfo),
}

/// Arguments of `builds list`.
#[derive(Debug, Args)]
pub(crate) struct BuildsList {
    /// How many
    #[arg(short, long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) num: u32,
}

/// Arguments of `builds info`.
#[derive(Debug, Args)]
pub(crate) struct BuildsInfo {
    /// The build's id
    pub(crate) id: String,
}
