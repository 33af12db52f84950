use clap::{Args, Subcommand};

/// `releases`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleasesCommand {
    /// List an app's releases, newest first
    List(ReleasesList),
    /// Describe a release
    Info(ReleasesInfo),
    /// Go back to the build and the config of an earlier release
    Rollback(ReleasesRollback),
}

/// Arguments of `releases list`.
#[derive(Debug, Args)]
pub(crate) struct ReleasesList {
    /// How many
    #[arg(short, long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) num: u32,
}

/// Arguments of `releases info`.
#[derive(Debug, Args)]
pub(crate) struct ReleasesInfo {
    /// The release, as in `v7` (default: the newest)
    #[arg(value_parser = release_version)]
    pub(crate) release: Option<u64>,
    /// Print the release's config as a .env file
    #[arg(short, long)]
    pub(crate) shell: bool,
}

/// Arguments of `releases rollback`.
#[derive(Debug, Args)]
pub(crate) struct ReleasesRollback {
    /// The release, as in `v7` (default: the one before the present one)
    #[arg(value_parser = release_version)]
    pub(crate) release: Option<u64>,
}

pub(crate) fn release_version(text: &str) -> Result<u64, String> {
    match text.strip_prefix(['v', 'V']).unwrap_or(text).parse() {
        Ok(0) | Err(_) => Err("write a release as in `v7`".to_owned()),
        Ok(version) => Ok(version),
    }
}
