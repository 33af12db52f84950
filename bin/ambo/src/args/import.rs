use clap::{Args, Subcommand};

/// `import`.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Bring over an app from Heroku: config, domains, formation, access, pipeline, drains
    Heroku(ImportHeroku),
}

/// Arguments of `import heroku`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_HELP)]
pub(crate) struct ImportHeroku {
    /// The app's name at Heroku
    #[arg(value_name = "APP")]
    pub(crate) from: String,
    /// Its name here, when it is to be another
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A Heroku token (else HEROKU_API_KEY, else ~/.netrc)
    #[arg(long, value_name = "TOKEN")]
    pub(crate) heroku_token: Option<String>,
    /// The address of the Heroku API
    #[arg(long, value_name = "URL", default_value = "https://api.heroku.com")]
    pub(crate) heroku_url: String,
    /// Leave out the config that add-ons have set, such as `DATABASE_URL`
    #[arg(long)]
    pub(crate) no_addon_config: bool,
    /// Take Heroku's value where a variable is set here already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Show the plan, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

const IMPORT_HELP: &str = "\
Nothing is changed at Heroku. The plan is shown first: what is made here, what is here already, and what needs a hand.
A second run does what the first could not, such as scaling before the first deploy; nothing is done twice.

`heroku auth:token` prints a Heroku token. Give it in HEROKU_API_KEY rather than as an option, which others on this
machine may see.";
