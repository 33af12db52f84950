//! What can be typed. Behaviour is in `commands`, one file per noun as here.

mod access;
mod accounts;
mod apps;
mod backup;
mod builds;
mod certs;
mod config;
mod deploy;
mod domains;
mod drains;
mod git;
mod healthchecks;
mod heroku;
mod images;
mod import;
mod keys;
mod limits;
mod logs;
mod maintenance;
mod metrics;
mod nodes;
mod pipelines;
mod platform;
mod ps;
mod releases;
mod run;
mod session;
mod tags;
mod tokens;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::access::*;
pub(crate) use self::accounts::*;
pub(crate) use self::apps::*;
pub(crate) use self::backup::*;
pub(crate) use self::builds::*;
pub(crate) use self::certs::*;
pub(crate) use self::config::*;
pub(crate) use self::deploy::*;
pub(crate) use self::domains::*;
pub(crate) use self::drains::*;
pub(crate) use self::git::*;
pub(crate) use self::healthchecks::*;
pub(crate) use self::heroku::*;
pub(crate) use self::images::*;
pub(crate) use self::import::*;
pub(crate) use self::keys::*;
pub(crate) use self::limits::*;
pub(crate) use self::logs::*;
pub(crate) use self::maintenance::*;
pub(crate) use self::metrics::*;
pub(crate) use self::nodes::*;
pub(crate) use self::pipelines::*;
pub(crate) use self::platform::*;
pub(crate) use self::ps::*;
pub(crate) use self::releases::*;
pub(crate) use self::run::*;
pub(crate) use self::session::*;
pub(crate) use self::tags::*;
pub(crate) use self::tokens::*;
use crate::exit::EXIT_CODES_HELP;

/// Runs your apps on your own machines: `git push`, and the app is built, released, run and routed.
///
/// Each command can be written in two words or with a colon: `ambo config set` and `ambo config:set` are the same.
#[derive(Debug, Parser)]
#[command(name = "ambo", version, propagate_version = false, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "Shorter: create, info, open, rename, destroy, transfer, scale, restart, stop, rollback, pull.\n\
    `ambo help COMMAND` explains a command, `ambo help exit-codes` the exit codes.";

const AFTER_LONG_HELP: &str = "\
Shorter:
  create, info, open, rename, destroy, transfer   of `ambo apps`
  scale, restart, stop                            of `ambo ps`
  rollback                                        of `ambo releases`
  pull IMAGE                                      `ambo deploy --image IMAGE`

Environment:
  AMBO_HOST        the server, as --host
  AMBO_APP         the app, as --app
  AMBO_API_KEY     a token to use instead of the stored one
  AMBO_CONFIG_DIR  where credentials.toml is kept (default: $XDG_CONFIG_HOME/ambo)
  NO_COLOR         no colours

Exit codes: 0 ok, 1 failed, 2 usage, 3 not logged in or forbidden, 4 not found, 5 conflict,
6 unreachable; `ambo help exit-codes` tells more.";

/// Understood by every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The app (else from the git remote)
    #[arg(short, long, global = true, env = "AMBO_APP", value_name = "NAME", hide_env = true)]
    pub(crate) app: Option<String>,
    /// The git remote that names the app, or that is to be made
    #[arg(short, long, global = true, value_name = "REMOTE")]
    pub(crate) remote: Option<String>,
    /// The server's address (else the app's remote, else where you logged in)
    #[arg(long, global = true, env = "AMBO_HOST", value_name = "URL", hide_env = true)]
    pub(crate) host: Option<String>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an account on a server and log in
    Register(Register),
    /// Log in to a server
    Login(Login),
    /// Log out: the token is revoked and forgotten
    Logout,
    /// Tell who is logged in
    Whoami,
    /// Change your password
    Passwd(Passwd),
    /// Create, list and manage apps
    #[command(subcommand, visible_alias = "app")]
    Apps(AppsCommand),
    /// Connect a git repository to an app
    #[command(subcommand)]
    Git(GitCommand),
    /// Manage the SSH keys that may push
    #[command(subcommand, visible_alias = "key")]
    Keys(KeysCommand),
    /// Deploy a directory or an image without git
    Deploy(Deploy),
    /// Look at builds
    #[command(subcommand, visible_alias = "build")]
    Builds(BuildsCommand),
    /// Manage an app's config: its environment variables
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at running processes and scale them
    #[command(subcommand)]
    Ps(PsCommand),
    /// Limit the memory and CPU of processes
    #[command(subcommand)]
    Limits(LimitsCommand),
    /// Choose the nodes that processes run on
    #[command(subcommand)]
    Tags(TagsCommand),
    /// Set how processes are checked
    #[command(subcommand, visible_alias = "healthcheck")]
    Healthchecks(HealthchecksCommand),
    /// Look at releases and roll back
    #[command(subcommand, visible_alias = "release")]
    Releases(ReleasesCommand),
    /// Manage the domains of an app
    #[command(subcommand, visible_alias = "domain")]
    Domains(DomainsCommand),
    /// Manage the TLS certificates of an app's domains
    #[command(subcommand, visible_alias = "cert")]
    Certs(CertsCommand),
    /// Put apps into stages, and promote from one to the next
    #[command(subcommand, visible_alias = "pipeline")]
    Pipelines(PipelinesCommand),
    /// Send an app's log elsewhere as well
    #[command(subcommand, visible_alias = "drain")]
    Drains(DrainsCommand),
    /// The machines of a cluster
    #[command(subcommand, visible_alias = "node")]
    Nodes(NodesCommand),
    /// Put the platform on a cluster, and look after it
    #[command(subcommand)]
    Platform(PlatformCommand),
    /// Show an app's log
    Logs(Logs),
    /// Show what an app uses: processors, memory, requests
    Metrics(Metrics),
    /// Run a command in a new instance of the app
    Run(Run),
    /// Run a command inside a running instance
    Exec(Exec),
    /// Run the `heroku` CLI against this server
    Heroku(Heroku),
    /// Bring over an app from elsewhere
    #[command(subcommand)]
    Import(ImportCommand),
    /// Manage who may work on an app
    #[command(subcommand)]
    Access(AccessCommand),
    /// Put an app into maintenance, and take it out again
    #[command(subcommand)]
    Maintenance(MaintenanceCommand),
    /// Manage access tokens
    #[command(subcommand, visible_alias = "token")]
    Tokens(TokensCommand),
    /// Invite people to a server
    #[command(subcommand, hide = true, alias = "invitation")]
    Invitations(InvitationsCommand),
    /// List the accounts of a server
    #[command(subcommand, hide = true, alias = "users")]
    Accounts(AccountsCommand),
    /// Free the disk space of images that nothing needs
    #[command(subcommand, hide = true)]
    Images(ImagesCommand),
    /// Look at a server's settings and change them
    #[command(subcommand, hide = true)]
    Settings(SettingsCommand),
    /// Answer git's question for credentials
    #[command(hide = true)]
    GitCredential(GitCredential),
    /// Print completions for a shell
    Completion(Completion),
    /// Print the versions of client and server
    Version,
    /// The exit codes
    #[command(hide = true, after_long_help = EXIT_CODES_HELP)]
    ExitCodes,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
