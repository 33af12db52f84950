//! The command line of Ambo. Knows the HTTP API and git, and nothing of the server's inside.

mod age;
mod args;
mod argv;
mod atomic_file;
mod commands;
mod context;
mod credentials;
mod dotenv;
mod exit;
mod git;
mod heroku;
mod import;
mod printer;
mod prompt;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command, ConfigCommand};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::printer::{ColourWish, Format, Printer};

fn main() -> ExitCode {
    let argv: Option<Vec<String>> = std::env::args_os().map(|word| word.into_string().ok()).collect();
    let parsed = match argv {
        Some(argv) => Cli::try_parse_from(argv::rewrite(argv)),
        // Words that are no text are for clap to refuse.
        None => Cli::try_parse_from(std::env::args_os()),
    };
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help into a closed pipe is no fault.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let format = if cli.global.json { Format::Json } else { Format::Text };
    let printer = Printer::new(format, ColourWish::from_environment());
    match perform(cli, printer) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}

fn perform(cli: Cli, printer: Printer) -> Outcome<Exit> {
    let context = Context::new(cli.global, printer)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start", &error))?;
    let outcome = runtime.block_on(until_interrupted(cli.command, &context));
    // A thread may still wait for a key.
    runtime.shutdown_background();
    outcome
}

/// Runs the command; Ctrl-C ends it, and with it the connection, which cancels what the server does for it.
async fn until_interrupted(command: Command, context: &Context) -> Outcome<Exit> {
    // While another program has the terminal, Ctrl-C is that program's.
    if matches!(command, Command::Config(ConfigCommand::Edit(_)) | Command::Heroku(_)) {
        return commands::run(command, context).await;
    }
    tokio::select! {
        outcome = commands::run(command, context) => outcome,
        signal = tokio::signal::ctrl_c() => match signal {
            Ok(()) => Err(Failure::quiet(Exit::Interrupted)),
            Err(error) => Err(Failure::io("cannot listen for Ctrl-C", &error)),
        },
    }
}
