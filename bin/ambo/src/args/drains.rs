use clap::{Args, Subcommand};

/// `drains`.
#[derive(Debug, Subcommand)]
pub(crate) enum DrainsCommand {
    /// List where an app's log goes
    List(DrainsList),
    /// Send an app's log to one more place
    Add(DrainsAdd),
    /// Send an app's log there no longer
    #[command(visible_alias = "rm")]
    Remove(DrainsRemove),
}

/// Arguments of `drains list`.
#[derive(Debug, Args)]
pub(crate) struct DrainsList {}

/// Arguments of `drains add`.
#[derive(Debug, Args)]
pub(crate) struct DrainsAdd {
    /// `syslog://HOST:PORT`, `syslog+tls://HOST:PORT`, or `https://USER:PASSWORD@HOST/PATH`
    pub(crate) url: String,
}

/// Arguments of `drains remove`.
#[derive(Debug, Args)]
pub(crate) struct DrainsRemove {
    /// Its URL, or its token (`d.…`)
    #[arg(value_name = "URL|TOKEN")]
    pub(crate) drain: String,
}
