//! `drains`.

use ambo_client::types::LogDrain;
use jiff::Timestamp;

use crate::age::ago;
use crate::args::{DrainsAdd, DrainsCommand, DrainsRemove};
use crate::context::Context;
use crate::exit::Outcome;

pub(super) async fn run(context: &Context, command: DrainsCommand) -> Outcome {
    match command {
        DrainsCommand::List(_) => list(context).await,
        DrainsCommand::Add(args) => add(context, args).await,
        DrainsCommand::Remove(args) => remove(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let (client, app) = context.app()?;
    let drains = client.drain_list(&app).await?;
    if context.printer.is_json() {
        return context.printer.json(&drains);
    }
    let now = Timestamp::now();
    let cells = |drain: &LogDrain| vec![drain.url.clone(), drain.token.clone(), ago(drain.created_at, now)];
    let rows: Vec<_> = drains.iter().map(cells).collect();
    context.printer.table(&["URL", "TOKEN", "ADDED"], &rows, &format!("The log of {app} goes nowhere else."))
}

async fn add(context: &Context, args: DrainsAdd) -> Outcome {
    let (client, app) = context.app()?;
    let drain = client.drain_create(&app, &args.url).await?;
    context.printer.note(format!("The log of {app} goes there now, as {}", drain.token))?;
    if context.printer.is_json() { context.printer.json(&drain) } else { Ok(()) }
}

async fn remove(context: &Context, args: DrainsRemove) -> Outcome {
    let (client, app) = context.app()?;
    client.drain_remove(&app, &args.drain).await?;
    context.printer.note(format!("The log of {app} goes there no longer"))
}
