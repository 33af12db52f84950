use clap::{Args, Subcommand};

/// `tokens`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// List your tokens
    List(TokensList),
    /// Make a token; it is shown this once
    Create(TokensCreate),
    /// Revoke a token
    #[command(visible_aliases = ["remove", "destroy"])]
    Revoke(TokensRevoke),
}

/// Arguments of `tokens list`.
#[derive(Debug, Args)]
pub(crate) struct TokensList {}

/// Arguments of `tokens create`.
#[derive(Debug, Args)]
pub(crate) struct TokensCreate {
    /// What it is for
    #[arg(short, long)]
    pub(crate) description: Option<String>,
    /// Days after which it ends
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) expires_in: Option<u32>,
    /// The only app that it is good for: to push, deploy and run it, as continuous integration does
    #[arg(long, value_name = "APP")]
    pub(crate) deploy: Option<String>,
    /// Only look, at apps and at what is measured; for monitoring
    #[arg(long, conflicts_with = "deploy")]
    pub(crate) read: bool,
}

/// Arguments of `tokens revoke`.
#[derive(Debug, Args)]
pub(crate) struct TokensRevoke {
    /// The token's id
    pub(crate) id: String,
}
