use clap::{Args, Subcommand};

/// `tags`.
#[derive(Debug, Subcommand)]
pub(crate) enum TagsCommand {
    /// List the tags of each process
    List(TagsList),
    /// Have a process run only on nodes that carry these labels
    Set(TagsSet),
    /// Take tags from a process
    Unset(TagsUnset),
}

/// Arguments of `tags list`.
#[derive(Debug, Args)]
pub(crate) struct TagsList {}

/// Arguments of `tags set`.
#[derive(Debug, Args)]
pub(crate) struct TagsSet {
    /// The process, as in `web`
    #[arg(value_name = "PROCESS")]
    pub(crate) process: String,
    /// What its nodes must carry, as in `region=eu`
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<String>,
}

/// Arguments of `tags unset`.
#[derive(Debug, Args)]
pub(crate) struct TagsUnset {
    /// The process
    #[arg(value_name = "PROCESS")]
    pub(crate) process: String,
    /// The keys of the tags
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}
