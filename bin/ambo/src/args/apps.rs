use clap::{Args, Subcommand};

/// `apps`.
#[derive(Debug, Subcommand)]
pub(crate) enum AppsCommand {
    /// List your apps
    List(AppsList),
    /// Create an app, and a git remote for it
    Create(AppsCreate),
    /// Describe an app
    Info(AppsInfo),
    /// Open an app in the browser
    Open(AppsOpen),
    /// Give an app another name
    Rename(AppsRename),
    /// Destroy an app with all that belongs to it
    #[command(visible_alias = "delete")]
    Destroy(AppsDestroy),
    /// Make someone else the owner of an app
    Transfer(AppsTransfer),
}

/// Arguments of `apps list`.
#[derive(Debug, Args)]
pub(crate) struct AppsList {}

/// Arguments of `apps create`.
#[derive(Debug, Args)]
pub(crate) struct AppsCreate {
    /// The app's name; the server makes one up when it is missing
    pub(crate) name: Option<String>,
    /// Make no git remote
    #[arg(long)]
    pub(crate) no_remote: bool,
}

/// Arguments of `apps info`.
#[derive(Debug, Args)]
pub(crate) struct AppsInfo {
    /// The app
    pub(crate) name: Option<String>,
}

/// Arguments of `apps open`.
#[derive(Debug, Args)]
pub(crate) struct AppsOpen {
    /// A path on the app
    pub(crate) path: Option<String>,
    /// Print the address, open nothing
    #[arg(long)]
    pub(crate) print: bool,
}

/// Arguments of `apps rename`.
#[derive(Debug, Args)]
pub(crate) struct AppsRename {
    /// The new name
    pub(crate) name: String,
}

/// Arguments of `apps destroy`.
#[derive(Debug, Args)]
pub(crate) struct AppsDestroy {
    /// The app
    pub(crate) name: Option<String>,
    /// The app's name once more, as confirmation
    #[arg(short, long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Arguments of `apps transfer`.
#[derive(Debug, Args)]
pub(crate) struct AppsTransfer {
    /// The new owner's e-mail address
    pub(crate) email: String,
}
