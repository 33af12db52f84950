use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List your SSH keys
    List(KeysList),
    /// Add an SSH key
    Add(KeysAdd),
    /// Remove an SSH key
    #[command(visible_alias = "rm")]
    Remove(KeysRemove),
}

/// Arguments of `keys list`.
#[derive(Debug, Args)]
pub(crate) struct KeysList {}

/// Arguments of `keys add`.
#[derive(Debug, Args)]
pub(crate) struct KeysAdd {
    /// A file with the public key (default: the one in ~/.ssh)
    pub(crate) file: Option<PathBuf>,
}

/// Arguments of `keys remove`.
#[derive(Debug, Args)]
pub(crate) struct KeysRemove {
    /// The key's id, fingerprint or comment
    pub(crate) key: String,
}
