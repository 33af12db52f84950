//! `metrics`: two readings, and what happened between them.

mod rates;
mod words;

use std::time::Duration;

use self::rates::Rates;
use self::words::{bytes, per_second, requests_pairs};
use crate::args::Metrics;
use crate::context::Context;
use crate::exit::Outcome;

pub(super) async fn run(context: &Context, args: Metrics) -> Outcome {
    let (client, app) = context.app()?;
    let first = client.app_metrics(&app).await?;
    if context.printer.is_json() {
        return context.printer.json(&first);
    }
    let spinner = context.printer.spinner(&format!("Measuring {app} for {} seconds", args.seconds))?;
    tokio::time::sleep(Duration::from_secs(u64::from(args.seconds))).await;
    let second = client.app_metrics(&app).await?;
    drop(spinner);
    let rates = Rates::between(&first, &second);
    for node in &second.silent_nodes {
        context.printer.warn(format!("{node} does not answer: what is there is missing"))?;
    }
    let cells = |instance: &rates::InstanceRates| {
        vec![
            instance.name.clone(),
            format!("v{}", instance.release),
            instance.node.clone(),
            format!("{:.0} %", instance.cores * 100.0),
            format!("{} of {}", bytes(instance.memory_bytes), bytes(instance.memory_limit_bytes)),
            per_second(instance.received),
            per_second(instance.sent),
        ]
    };
    let rows: Vec<_> = rates.instances.iter().map(cells).collect();
    let header = ["NAME", "RELEASE", "NODE", "CPU", "MEMORY", "RECEIVED", "SENT"];
    context.printer.table(&header, &rows, &format!("Nothing of {app} runs."))?;
    context.printer.data("")?;
    context.printer.pairs(&requests_pairs(&rates.requests))
}
