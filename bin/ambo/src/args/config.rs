use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List all variables
    List(ConfigList),
    /// Print one value, and nothing else
    Get(ConfigGet),
    /// Set variables; makes one release
    Set(ConfigSet),
    /// Remove variables; makes one release
    #[command(visible_alias = "remove")]
    Unset(ConfigUnset),
    /// Write all variables into a .env file
    Pull(ConfigPull),
    /// Set all variables of a .env file
    Push(ConfigPush),
    /// Change the variables in your editor
    Edit(ConfigEdit),
}

/// Arguments of `config list`.
#[derive(Debug, Args)]
pub(crate) struct ConfigList {
    /// Print as a .env file
    #[arg(short, long)]
    pub(crate) shell: bool,
}

/// Arguments of `config get`.
#[derive(Debug, Args)]
pub(crate) struct ConfigGet {
    /// The variable
    pub(crate) key: String,
}

/// Arguments of `config set`.
#[derive(Debug, Args)]
pub(crate) struct ConfigSet {
    /// Variables, as in `KEY=value`
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) variables: Vec<Assignment>,
}

/// Arguments of `config unset`.
#[derive(Debug, Args)]
pub(crate) struct ConfigUnset {
    /// The variables
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}

/// Arguments of `config pull`.
#[derive(Debug, Args)]
pub(crate) struct ConfigPull {
    /// The file
    #[arg(short, long, default_value = ".env")]
    pub(crate) file: PathBuf,
    /// Replace the file if it exists
    #[arg(short, long)]
    pub(crate) overwrite: bool,
}

/// Arguments of `config push`.
#[derive(Debug, Args)]
pub(crate) struct ConfigPush {
    /// The file
    #[arg(short, long, default_value = ".env")]
    pub(crate) file: PathBuf,
}

/// Arguments of `config edit`.
#[derive(Debug, Args)]
pub(crate) struct ConfigEdit {
    /// Only this variable
    pub(crate) key: Option<String>,
}

/// `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Everything behind the first `=` is the value, whatever it holds.
pub(crate) fn assignment(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Assignment { key: key.to_owned(), value: value.to_owned() }),
        _ => Err("write it as `KEY=value`".to_owned()),
    }
}
