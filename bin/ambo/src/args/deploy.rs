use std::path::PathBuf;

use clap::Args;

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The directory to deploy, without what .gitignore and .dockerignore leave out
    #[arg(default_value = ".", conflicts_with = "image")]
    pub(crate) directory: PathBuf,
    /// Deploy an existing image instead
    #[arg(short, long)]
    pub(crate) image: Option<String>,
    /// With --image: the Procfile with the image's processes (default: ./Procfile where there is one)
    #[arg(long, value_name = "FILE", requires = "image")]
    pub(crate) procfile: Option<PathBuf>,
}
