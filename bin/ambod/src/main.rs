//! `ambod`: every role of the platform in one process.
//!
//! This crate wires: it names the drivers, opens the sockets, starts what the other crates are, and stops it in order. It
//! decides nothing about apps.

mod access;
mod adapters;
mod backup;
mod blobs;
mod certificate;
mod cli;
mod cluster;
mod data;
mod handover;
mod install;
mod listeners;
mod log;
mod metrics;
mod notify;
mod one_machine;
mod platform;
mod running;
mod serve;
mod settings;
mod signals;
mod state;

use std::io::Write;
use std::process::ExitCode;

use ambo_model::Secret;
use clap::Parser;
use tokio::runtime::Runtime;

use crate::cli::{ArchiveArgs, BackupCommand, Cli, Command, StoreCommand};
use crate::settings::{Listed, Role, Settings};

/// The C library's allocator keeps the 19 MiB that checking a password takes, once for each thread that has ever done it:
/// more than 100 MB after a few logins. This one gives back at once what is that large; not all others do (mimalloc 3 keeps
/// it until a thread happens to look).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // git's pre-receive hook is this program under another name.
    if std::env::args_os().next().is_some_and(|program| ambo_gitreceive::is_hook(&program)) {
        return ambo_gitreceive::run_hook();
    }
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", message(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let (settings, listed) = Settings::load(cli.given, cli.settings_file.as_deref())?;
    match cli.command {
        Command::Serve => {
            log::start(&settings)?;
            runtime()?.block_on(async {
                match settings.role {
                    Role::All => serve::serve(settings).await,
                    Role::Controller => cluster::controller::serve(settings).await,
                    Role::Agent => cluster::agent::serve(settings).await,
                    Role::Keeper => cluster::keeper::serve(settings).await,
                    Role::Router => cluster::router::serve(settings).await,
                    Role::Dns => cluster::dns::serve(settings).await,
                }
            })
        }
        Command::Settings => match print(&listed) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // `ambod settings | head`
            printed => Ok(printed?),
        },
        Command::Healthy => cluster::keeper::healthy(),
        Command::Store(StoreCommand::Migrate { from, to }) => {
            runtime()?.block_on(state::migrate::run(&settings, &from, &to, &mut std::io::stdout()))
        }
        Command::Backup(command) => runtime()?.block_on(async {
            let out = &mut std::io::stdout();
            match command {
                BackupCommand::Create { to } => backup::create(&settings, to.as_deref(), out).await,
                BackupCommand::Verify { archive: ArchiveArgs { archive, identity_file } } => {
                    backup::verify(&archive, identity_file.as_deref(), out).await
                }
                BackupCommand::Keys { archive: ArchiveArgs { archive, identity_file } } => {
                    backup::keys(&archive, identity_file.as_deref(), out).await
                }
                BackupCommand::Identity => backup::identity(out),
            }
        }),
        Command::Restore { archive: ArchiveArgs { archive, identity_file } } => {
            let out = &mut std::io::stdout();
            runtime()?.block_on(backup::restore(&settings, &archive, identity_file.as_deref(), out))
        }
        Command::Join { manager, token, labels } => {
            let (token, labels) = (Secret::new(token), labels.into_iter().collect());
            runtime()?.block_on(cluster::join::join(&settings, &manager, &token, &labels, &mut std::io::stdout()))
        }
        Command::Install { dry_run } => install::install(&settings, dry_run, &mut std::io::stdout()),
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// An error with its causes, each once.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

fn print(listed: &[Listed]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for setting in listed {
        writeln!(out, "{} = {}", setting.name, setting.value)?;
        writeln!(out, "    {} [--{}, {}; {}]", setting.about, setting.name, setting.variable, setting.from)?;
    }
    Ok(())
}
