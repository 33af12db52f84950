//! `config`.

mod edit;
mod file;

use ambo_client::Client;
use ambo_client::types::{ConfigVars, ConfigVarsUpdate};

use super::releases::{newest, settled};
use crate::args::{ConfigCommand, ConfigGet, ConfigList, ConfigSet, ConfigUnset};
use crate::context::Context;
use crate::dotenv;
use crate::exit::{Exit, Failure, Outcome};

pub(super) async fn run(context: &Context, command: ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::List(args) => list(context, args).await,
        ConfigCommand::Get(args) => get(context, args).await,
        ConfigCommand::Set(args) => set(context, args).await,
        ConfigCommand::Unset(args) => unset(context, args).await,
        ConfigCommand::Pull(args) => file::pull(context, args).await,
        ConfigCommand::Push(args) => file::push(context, args).await,
        ConfigCommand::Edit(args) => edit::run(context, args).await,
    }
}

async fn list(context: &Context, args: ConfigList) -> Outcome {
    let (client, app) = context.app()?;
    let config = client.config_info(&app).await?;
    if context.printer.is_json() {
        return context.printer.json(&config);
    }
    if args.shell {
        return context.printer.raw(dotenv::write(&config).as_bytes());
    }
    let rows: Vec<_> = config.iter().map(|(key, value)| vec![key.clone(), one_line(value)]).collect();
    let empty = format!("{app} has no config yet. `ambo config:set KEY=value` sets a variable.");
    context.printer.table(&["KEY", "VALUE"], &rows, &empty)
}

/// A value of several lines in one, so that the table keeps its form.
fn one_line(value: &str) -> String {
    value.replace('\n', "\\n")
}

async fn get(context: &Context, args: ConfigGet) -> Outcome {
    let (client, app) = context.app()?;
    let config = client.config_info(&app).await?;
    // As Heroku's: a variable that is not set prints an empty line and is no failure.
    let value = config.get(&args.key);
    if context.printer.is_json() {
        context.printer.json(&value)
    } else {
        context.printer.data(value.map_or("", String::as_str))
    }
}

async fn set(context: &Context, args: ConfigSet) -> Outcome {
    let (client, app) = context.app()?;
    let update = args.variables.into_iter().map(|variable| (variable.key, Some(variable.value))).collect();
    apply(context, &client, &app, &update).await
}

async fn unset(context: &Context, args: ConfigUnset) -> Outcome {
    let (client, app) = context.app()?;
    let present = client.config_info(&app).await?;
    if let Some(missing) = args.keys.iter().find(|key| !present.contains_key(*key)) {
        return Err(Failure::with(Exit::NotFound, format!("{app} has no variable `{missing}`: nothing was unset")));
    }
    let update = args.keys.into_iter().map(|key| (key, None)).collect();
    apply(context, &client, &app, &update).await
}

/// Changes the config and waits for the release that it makes.
async fn apply(context: &Context, client: &Client, app: &str, update: &ConfigVarsUpdate) -> Outcome {
    let sentence = sentence(update);
    let spinner = context.printer.spinner(&format!("{sentence} on {app}"))?;
    let config: ConfigVars = client.config_update(app, update).await?;
    let release = match newest(client, app).await? {
        Some(release) => Some(settled(client, app, release).await?),
        None => None,
    };
    drop(spinner);
    let released = release.map_or_else(String::new, |release| format!("; released v{}", release.version));
    context.printer.note(format!("Done{released}"))?;
    if context.printer.is_json() { context.printer.json(&config) } else { Ok(()) }
}

/// `Setting A, B and unsetting C`: names only, since values are secrets.
fn sentence(update: &ConfigVarsUpdate) -> String {
    let names = |wanted: bool| {
        let names = update.iter().filter(|(_, value)| value.is_some() == wanted).map(|(key, _)| key.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    match (names(true), names(false)) {
        (set, unset) if unset.is_empty() => format!("Setting {set}"),
        (set, unset) if set.is_empty() => format!("Unsetting {unset}"),
        (set, unset) => format!("Setting {set} and unsetting {unset}"),
    }
}
