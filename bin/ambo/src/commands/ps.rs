//! `ps`.

use ambo_client::InstanceTarget;
use ambo_client::types::{Formation, FormationBatchUpdate, FormationUpdate, Instance, Quantity};
use jiff::Timestamp;
use serde::Serialize;

use crate::age::ago;
use crate::args::{PsCommand, PsRestart, PsScale, PsStop, ScaleChange};
use crate::context::Context;
use crate::exit::{Failure, Outcome};

/// Longest command that a table shows, in characters.
const COMMAND_CHARS_MAX: usize = 60;

pub(super) async fn run(context: &Context, command: PsCommand) -> Outcome {
    match command {
        PsCommand::List(_) => list(context).await,
        PsCommand::Scale(args) => scale(context, args).await,
        PsCommand::Restart(args) => restart(context, args).await,
        PsCommand::Stop(args) => stop(context, args).await,
    }
}

/// An instance, as programs get it.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    process: &'a str,
    state: &'a str,
    node: Option<&'a str>,
    release: Option<u64>,
    command: &'a str,
    started_at: Timestamp,
    restarts: Option<u32>,
}

impl<'a> From<&'a Instance> for Row<'a> {
    fn from(instance: &'a Instance) -> Self {
        let dyno = &instance.dyno;
        Self {
            name: &dyno.name,
            process: &dyno.process_type,
            state: &dyno.state,
            node: instance.node.as_deref(),
            release: dyno.release.as_ref().map(|release| release.version),
            command: &dyno.command,
            started_at: instance.started_at.unwrap_or(dyno.created_at),
            restarts: instance.restarts,
        }
    }
}

async fn list(context: &Context) -> Outcome {
    let (client, app) = context.app()?;
    let mut instances = client.instance_list(&app).await?;
    instances.sort_by_cached_key(|instance| order(&instance.dyno.name));
    let rows: Vec<Row<'_>> = instances.iter().map(Row::from).collect();
    if context.printer.is_json() {
        return context.printer.json(&rows);
    }
    let now = Timestamp::now();
    let cells = |row: &Row<'_>| {
        vec![
            row.name.to_owned(),
            row.state.to_owned(),
            row.release.map_or_else(String::new, |version| format!("v{version}")),
            row.node.unwrap_or_default().to_owned(),
            ago(row.started_at, now),
            shortened(row.command),
        ]
    };
    let rows: Vec<_> = rows.iter().map(cells).collect();
    let empty = format!("Nothing of {app} runs. `git push` deploys it, `ambo scale web=1` starts it.");
    context.printer.table(&["NAME", "STATE", "RELEASE", "NODE", "STARTED", "COMMAND"], &rows, &empty)
}

/// `web` before all others, `web.2` before `web.10`.
pub(super) fn order(name: &str) -> (bool, String, u64) {
    let (process, number) = name.rsplit_once('.').unwrap_or((name, "0"));
    (process != "web", process.to_owned(), number.parse().unwrap_or(0))
}

fn shortened(command: &str) -> String {
    if command.chars().count() <= COMMAND_CHARS_MAX {
        return command.to_owned();
    }
    let mut text: String = command.chars().take(COMMAND_CHARS_MAX - 1).collect();
    text.push('…');
    text
}

async fn scale(context: &Context, args: PsScale) -> Outcome {
    let (client, app) = context.app()?;
    if args.changes.is_empty() {
        let formation = client.formation_list(&app).await?;
        if context.printer.is_json() {
            return context.printer.json(&formation);
        }
        let rows: Vec<_> = formation.iter().map(cells_of_formation).collect();
        let empty = format!("{app} has no processes yet. `git push` deploys it.");
        return context.printer.table(&["PROCESS", "COUNT", "SIZE"], &rows, &empty);
    }
    let updates = args.changes.into_iter().map(update).collect::<Outcome<Vec<_>>>()?;
    let spinner = context.printer.spinner(&format!("Scaling {app}"))?;
    let formation = client.formation_update(&app, &FormationBatchUpdate { updates }).await?;
    drop(spinner);
    if context.printer.is_json() {
        return context.printer.json(&formation);
    }
    let counts: Vec<_> = formation.iter().map(|entry| format!("{}={}", entry.process_type, entry.quantity)).collect();
    context.printer.note(format!("Scaled {app}: {}", counts.join(", ")))
}

fn cells_of_formation(entry: &Formation) -> Vec<String> {
    vec![entry.process_type.clone(), entry.quantity.to_string(), entry.size.clone()]
}

fn update(change: ScaleChange) -> Outcome<FormationUpdate> {
    let quantity = Quantity::parse(&change.quantity);
    let quantity = quantity.ok_or_else(|| Failure::usage(format!("`{}` is more than can run", change.quantity)))?;
    Ok(FormationUpdate {
        process_type: Some(change.process),
        quantity: Some(quantity),
        size: change.size,
        docker_image: None,
    })
}

async fn restart(context: &Context, args: PsRestart) -> Outcome {
    let (client, app) = context.app()?;
    let shown = args.target.clone().unwrap_or_else(|| app.clone());
    let spinner = context.printer.spinner(&format!("Restarting {shown}"))?;
    match &args.target {
        Some(name) => client.instance_restart(&app, InstanceTarget::parse(name)).await?,
        None => client.instance_restart_all(&app).await?,
    }
    drop(spinner);
    context.printer.note(format!("Restarted {shown}"))
}

async fn stop(context: &Context, args: PsStop) -> Outcome {
    let (client, app) = context.app()?;
    client.instance_stop(&app, InstanceTarget::parse(&args.target)).await?;
    context.printer.note(format!("Stopped {}", args.target))?;
    match args.target.split('.').next() {
        None | Some("run") => Ok(()),
        Some(process) => context.printer.hint(format!("it is started anew; `ambo scale {process}=0` keeps it down")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_listed_as_people_count() {
        let mut names = vec!["worker.1", "web.10", "run.7", "web.2"];
        names.sort_by_cached_key(|name| order(name));
        assert_eq!(names, ["web.2", "web.10", "run.7", "worker.1"]);
    }
}
