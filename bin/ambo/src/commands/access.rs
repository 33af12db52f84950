//! `access`.

use ambo_client::types::Collaborator;
use jiff::Timestamp;

use crate::age::ago;
use crate::args::{AccessAdd, AccessCommand, AccessRemove};
use crate::context::Context;
use crate::exit::Outcome;

pub(super) async fn run(context: &Context, command: AccessCommand) -> Outcome {
    match command {
        AccessCommand::List(_) => list(context).await,
        AccessCommand::Add(args) => add(context, args).await,
        AccessCommand::Remove(args) => remove(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let (client, app) = context.app()?;
    let people = client.access_list(&app).await?;
    if context.printer.is_json() {
        return context.printer.json(&people);
    }
    let now = Timestamp::now();
    let cells = |person: &Collaborator| {
        let role = person.role.clone().unwrap_or_else(|| "collaborator".to_owned());
        vec![person.user.email.clone(), role, ago(person.created_at, now)]
    };
    let rows: Vec<_> = people.iter().map(cells).collect();
    context.printer.table(&["WHO", "ROLE", "SINCE"], &rows, &format!("Nobody else works on {app}."))
}

async fn add(context: &Context, args: AccessAdd) -> Outcome {
    let (client, app) = context.app()?;
    let person = client.access_create(&app, &args.email).await?;
    context.printer.note(format!("{} may work on {app} now", person.user.email))?;
    if context.printer.is_json() { context.printer.json(&person) } else { Ok(()) }
}

async fn remove(context: &Context, args: AccessRemove) -> Outcome {
    let (client, app) = context.app()?;
    client.access_remove(&app, &args.email).await?;
    context.printer.note(format!("{} may no longer work on {app}", args.email))
}
