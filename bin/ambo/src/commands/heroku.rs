//! `heroku`.

use crate::args::Heroku;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::heroku;

pub(super) async fn run(context: &Context, args: Heroku) -> Outcome<Exit> {
    heroku::run(context, &args.words).await
}
