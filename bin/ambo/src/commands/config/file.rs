//! `config pull` and `config push`.

use std::fs;
use std::io::Read as _;

use ambo_client::types::ConfigVarsUpdate;

use super::apply;
use crate::args::{ConfigPull, ConfigPush};
use crate::atomic_file::write_private;
use crate::context::Context;
use crate::dotenv;
use crate::exit::{Failure, Outcome};

/// Longest .env file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(super) async fn pull(context: &Context, args: ConfigPull) -> Outcome {
    let shown = args.file.display().to_string();
    if !args.overwrite && fs::symlink_metadata(&args.file).is_ok() {
        return Err(Failure::usage(format!("`{shown}` exists already")).hint("replace it with --overwrite"));
    }
    let (client, app) = context.app()?;
    let config = client.config_info(&app).await?;
    write_private(&args.file, &dotenv::write(&config))
        .map_err(|error| Failure::io(format!("cannot write `{shown}`"), &error))?;
    context.printer.note(format!("Wrote {} variables of {app} into {shown}", config.len()))
}

pub(super) async fn push(context: &Context, args: ConfigPush) -> Outcome {
    let shown = args.file.display().to_string();
    let read = |error: &std::io::Error| Failure::io(format!("cannot read `{shown}`"), error);
    let mut text = String::new();
    let file = fs::File::open(&args.file).map_err(|error| read(&error))?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| read(&error))?;
    let wanted = dotenv::read(&text).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    let (client, app) = context.app()?;
    let present = client.config_info(&app).await?;
    let changed = wanted.into_iter().filter(|(key, value)| present.get(key) != Some(value));
    let update: ConfigVarsUpdate = changed.map(|(key, value)| (key, Some(value))).collect();
    if update.is_empty() {
        return context.printer.note(format!("{app} has all variables of {shown} already"));
    }
    apply(context, &client, &app, &update).await
}
