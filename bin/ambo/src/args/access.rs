use clap::{Args, Subcommand};

/// `access`.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// List who may work on an app
    List(AccessList),
    /// Let somebody work on an app
    #[command(visible_alias = "create")]
    Add(AccessAdd),
    /// Let somebody no longer work on an app
    #[command(visible_aliases = ["delete", "rm"])]
    Remove(AccessRemove),
}

/// Arguments of `access list`.
#[derive(Debug, Args)]
pub(crate) struct AccessList {}

/// Arguments of `access add`.
#[derive(Debug, Args)]
pub(crate) struct AccessAdd {
    /// Their e-mail address
    pub(crate) email: String,
}

/// Arguments of `access remove`.
#[derive(Debug, Args)]
pub(crate) struct AccessRemove {
    /// Their e-mail address
    pub(crate) email: String,
}
