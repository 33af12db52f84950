//! `domains`.

use ambo_client::types::Domain;

use crate::args::{DomainsAdd, DomainsCommand, DomainsRemove};
use crate::context::Context;
use crate::exit::Outcome;

pub(super) async fn run(context: &Context, command: DomainsCommand) -> Outcome {
    match command {
        DomainsCommand::List(_) => list(context).await,
        DomainsCommand::Add(args) => add(context, args).await,
        DomainsCommand::Remove(args) => remove(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let (client, app) = context.app()?;
    let domains = client.domain_list(&app).await?;
    if context.printer.is_json() {
        return context.printer.json(&domains);
    }
    let cells = |domain: &Domain| {
        let kind = if domain.kind == "custom" { "custom" } else { "platform" };
        vec![domain.hostname.clone(), kind.to_owned(), domain.cname.clone().unwrap_or_default()]
    };
    let rows: Vec<_> = domains.iter().map(cells).collect();
    context.printer.table(&["DOMAIN", "KIND", "DNS TARGET"], &rows, &format!("{app} has no domains yet."))
}

async fn add(context: &Context, args: DomainsAdd) -> Outcome {
    let (client, app) = context.app()?;
    let domain = client.domain_create(&app, &args.domain).await?;
    context.printer.note(format!("Added {} to {app}", domain.hostname))?;
    if let Some(cname) = &domain.cname {
        context.printer.hint(format!("point its DNS at {cname}"))?;
    }
    if context.printer.is_json() { context.printer.json(&domain) } else { Ok(()) }
}

async fn remove(context: &Context, args: DomainsRemove) -> Outcome {
    let (client, app) = context.app()?;
    client.domain_remove(&app, &args.domain).await?;
    context.printer.note(format!("Removed {} from {app}", args.domain))
}
