//! `import`.

use crate::args::ImportCommand;
use crate::context::Context;
use crate::exit::Outcome;
use crate::import;

pub(super) async fn run(context: &Context, command: ImportCommand) -> Outcome {
    match command {
        ImportCommand::Heroku(args) => import::run(context, &args).await,
    }
}
