//! `limits`.

use ambo_client::types::{Limits, LimitsUpdate, ProcessLimitsUpdate};

use crate::args::{LimitsCommand, LimitsSet, LimitsUnset};
use crate::context::Context;
use crate::exit::{Failure, Outcome};

pub(super) async fn run(context: &Context, command: LimitsCommand) -> Outcome {
    let update = match command {
        LimitsCommand::List(_) => {
            let (client, app) = context.app()?;
            return show(context, &client.limits_info(&app).await?);
        }
        LimitsCommand::Set(args) => to_set(&args)?,
        LimitsCommand::Unset(args) => to_unset(&args),
    };
    let (client, app) = context.app()?;
    let spinner = context.printer.spinner(&format!("Changing the limits of {app}"))?;
    let limits = client.limits_update(&app, &update).await?;
    drop(spinner);
    show(context, &limits)
}

fn to_set(args: &LimitsSet) -> Outcome<LimitsUpdate> {
    let one = |text: &String| {
        // `web=512M` is how Deis has it.
        let (process, memory) = match text.split_once('=') {
            Some((process, memory)) => (process, Some(memory.to_owned())),
            None => (text.as_str(), args.memory.clone()),
        };
        if memory.is_none() && args.cpu.is_none() {
            return Err(Failure::usage(format!("which limit for `{process}`?"))
                .hint(format!("as in `ambo limits:set {process} --memory 512M --cpu 0.5`")));
        }
        let update = ProcessLimitsUpdate { memory: memory.map(Some), cpu: args.cpu.clone().map(Some) };
        Ok((process.to_owned(), update))
    };
    args.processes.iter().map(one).collect()
}

fn to_unset(args: &LimitsUnset) -> LimitsUpdate {
    let both = args.memory == args.cpu;
    let lift = |chosen: bool| (chosen || both).then_some(None);
    let update = ProcessLimitsUpdate { memory: lift(args.memory), cpu: lift(args.cpu) };
    args.processes.iter().map(|process| (process.clone(), update.clone())).collect()
}

fn show(context: &Context, limits: &Limits) -> Outcome {
    if context.printer.is_json() {
        return context.printer.json(limits);
    }
    let shown = |limit: &Option<String>| limit.clone().unwrap_or_else(|| "unlimited".to_owned());
    let rows: Vec<_> = limits
        .iter()
        .map(|(process, limits)| vec![process.clone(), shown(&limits.memory), shown(&limits.cpu)])
        .collect();
    context.printer.table(&["PROCESS", "MEMORY", "CPU"], &rows, "No process has a limit.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsetting_takes_away_what_is_named_or_all() {
        let unset = |memory, cpu| {
            let update = to_unset(&LimitsUnset { processes: vec!["web".into()], memory, cpu });
            serde_json::to_string(&update).unwrap()
        };
        assert_eq!(unset(false, false), r#"{"web":{"memory":null,"cpu":null}}"#);
        assert_eq!(unset(true, false), r#"{"web":{"memory":null}}"#);
        assert_eq!(unset(false, true), r#"{"web":{"cpu":null}}"#);
    }
}
