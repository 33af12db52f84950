use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `certs`.
#[derive(Debug, Subcommand)]
pub(crate) enum CertsCommand {
    /// List an app's certificates
    List(CertsList),
    /// Add a certificate; the app's domains that it covers are served with it
    Add(CertsAdd),
    /// Show a certificate
    Info(CertsInfo),
    /// Replace a certificate, as when it is renewed
    Update(CertsUpdate),
    /// Remove a certificate
    #[command(visible_alias = "rm")]
    Remove(CertsRemove),
}

/// Arguments of `certs list`.
#[derive(Debug, Args)]
pub(crate) struct CertsList {}

/// Arguments of `certs add`.
#[derive(Debug, Args)]
pub(crate) struct CertsAdd {
    /// File with the chain in PEM form, the app's own certificate first
    pub(crate) chain: PathBuf,
    /// File with its private key in PEM form
    pub(crate) key: PathBuf,
}

/// Arguments of `certs info`.
#[derive(Debug, Args)]
pub(crate) struct CertsInfo {
    /// Which, when the app has several
    pub(crate) name: Option<String>,
}

/// Arguments of `certs update`.
#[derive(Debug, Args)]
pub(crate) struct CertsUpdate {
    /// File with the chain in PEM form, the app's own certificate first
    pub(crate) chain: PathBuf,
    /// File with its private key in PEM form
    pub(crate) key: PathBuf,
    /// Which to replace, when the app has several
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// Arguments of `certs remove`.
#[derive(Debug, Args)]
pub(crate) struct CertsRemove {
    /// Which
    pub(crate) name: String,
}
