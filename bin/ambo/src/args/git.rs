use clap::{Args, Subcommand};

/// `git`.
#[derive(Debug, Subcommand)]
pub(crate) enum GitCommand {
    /// Point this repository's remote at an app
    Remote(GitRemote),
}

/// Arguments of `git remote`.
#[derive(Debug, Args)]
pub(crate) struct GitRemote {
    /// Push over SSH instead of HTTP
    #[arg(long)]
    pub(crate) ssh: bool,
}

/// Arguments of `git-credential`.
#[derive(Debug, Args)]
pub(crate) struct GitCredential {
    /// What git wants
    pub(crate) operation: String,
}
