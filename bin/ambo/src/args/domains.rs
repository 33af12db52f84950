use clap::{Args, Subcommand};

/// `domains`.
#[derive(Debug, Subcommand)]
pub(crate) enum DomainsCommand {
    /// List an app's domains
    List(DomainsList),
    /// Add a domain
    Add(DomainsAdd),
    /// Remove a domain
    #[command(visible_alias = "rm")]
    Remove(DomainsRemove),
}

/// Arguments of `domains list`.
#[derive(Debug, Args)]
pub(crate) struct DomainsList {}

/// Arguments of `domains add`.
#[derive(Debug, Args)]
pub(crate) struct DomainsAdd {
    /// The domain, as in `www.example.com`
    pub(crate) domain: String,
}

/// Arguments of `domains remove`.
#[derive(Debug, Args)]
pub(crate) struct DomainsRemove {
    /// The domain
    pub(crate) domain: String,
}
