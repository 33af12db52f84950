//! What the commands do, one file per noun.

mod access;
mod accounts;
mod apps;
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
mod shell;
mod tags;
mod tokens;

use crate::args::Command;
use crate::context::Context;
use crate::exit::{EXIT_CODES_HELP, Exit, Outcome};

/// Does what was asked for.
pub(crate) async fn run(command: Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Run(args) => return run::run(context, args).await,
        Command::Exec(args) => return run::exec(context, args).await,
        Command::Heroku(args) => return heroku::run(context, args).await,
        Command::Register(args) => session::register(context, args).await,
        Command::Login(args) => session::login(context, args).await,
        Command::Logout => session::logout(context).await,
        Command::Whoami => session::whoami(context).await,
        Command::Passwd(args) => session::passwd(context, args).await,
        Command::Apps(command) => apps::run(context, command).await,
        Command::Git(command) => git::run(context, command).await,
        Command::Keys(command) => keys::run(context, command).await,
        Command::Deploy(args) => deploy::run(context, args).await,
        Command::Builds(command) => builds::run(context, command).await,
        Command::Config(command) => config::run(context, command).await,
        Command::Ps(command) => ps::run(context, command).await,
        Command::Limits(command) => limits::run(context, command).await,
        Command::Tags(command) => tags::run(context, command).await,
        Command::Healthchecks(command) => healthchecks::run(context, command).await,
        Command::Releases(command) => releases::run(context, command).await,
        Command::Domains(command) => domains::run(context, command).await,
        Command::Certs(command) => certs::run(context, command).await,
        Command::Pipelines(command) => pipelines::run(context, command).await,
        Command::Nodes(command) => nodes::run(context, command).await,
        Command::Platform(command) => platform::run(context, command).await,
        Command::Drains(command) => drains::run(context, command).await,
        Command::Logs(args) => logs::run(context, args).await,
        Command::Metrics(args) => metrics::run(context, args).await,
        Command::Access(command) => access::run(context, command).await,
        Command::Import(command) => import::run(context, command).await,
        Command::Maintenance(command) => maintenance::run(context, command).await,
        Command::Tokens(command) => tokens::run(context, command).await,
        Command::Invitations(command) => accounts::invitations(context, command).await,
        Command::Accounts(command) => accounts::accounts(context, command).await,
        Command::Images(command) => images::run(context, command).await,
        Command::Settings(command) => accounts::settings(context, command).await,
        Command::GitCredential(args) => git::credential(context, &args),
        Command::Completion(args) => shell::completion(context, &args),
        Command::Version => shell::version(context).await,
        Command::ExitCodes => context.printer.data(EXIT_CODES_HELP),
    }
    .map(|()| Exit::Ok)
}
