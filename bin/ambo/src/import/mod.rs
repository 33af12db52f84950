//! `ambo import heroku`: makes an app here after one at Heroku. Reads there, writes here: plan first, then apply.

mod advice;
mod apply;
mod heroku;
mod plan;
mod present;
mod sizes;

use ambo_client::Client;
use serde::Serialize;

use self::apply::Done;
use self::plan::{Action, Plan, Wish};
use crate::args::ImportHeroku;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::prompt;

/// What programs read.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// None when nothing was to be changed.
    result: Option<&'a [Done]>,
}

/// Reads, plans, shows, asks, applies.
pub(crate) async fn run(context: &Context, args: &ImportHeroku) -> Outcome {
    let client = context.client()?;
    let there = heroku::connect(args)?;
    let source = heroku::read(&there, &args.from).await?;
    let name = args.name.clone().unwrap_or_else(|| source.name.clone());
    let present = present::read(&client, &name).await?;
    let wish = Wish {
        name,
        with_addon_config: !args.no_addon_config,
        overwrite: args.overwrite,
        account: client.account_info().await?.email,
        domain: client.platform_info().await?.domain,
    };
    let plan = plan::plan(&source, &present, &wish);
    if !context.printer.is_json() {
        show(context, &plan)?;
    }
    if args.dry_run || !plan.has_work() {
        return finish(context, &plan, None);
    }
    if !args.yes {
        confirm(context, &plan, &client).await?;
    }
    let spinner = context.printer.spinner(&format!("Importing {}", plan.name))?;
    let done = apply::apply(&client, &source, &plan).await?;
    drop(spinner);
    finish(context, &plan, Some(&done))
}

fn show(context: &Context, plan: &Plan) -> Outcome {
    let printer = context.printer;
    printer.data(format!("{} at Heroku becomes {} here:\n", plan.from, plan.name))?;
    let row = |item: &plan::Item| {
        vec![item.kind.to_owned(), item.name.clone(), item.value.clone(), item.action.to_string(), item.note.clone()]
    };
    let rows: Vec<_> = plan.items.iter().map(row).collect();
    printer.table(&["WHAT", "NAME", "VALUE", "PLAN", "NOTE"], &rows, "There is nothing to bring over.")?;
    if !plan.by_hand.is_empty() {
        printer.data("\nWhat needs a hand:")?;
    }
    for advice in &plan.by_hand {
        printer.data(format!("\n- {}", advice.what))?;
        for line in &advice.how {
            printer.data(format!("    {line}"))?;
        }
    }
    printer.data("")
}

async fn confirm(context: &Context, plan: &Plan, client: &Client) -> Outcome {
    if context.printer.is_json() || !prompt::is_possible() {
        return Err(
            Failure::usage("nobody is here to confirm the plan").hint("`--yes` goes ahead, `--dry-run` only shows")
        );
    }
    let count = plan.items.iter().filter(|item| item.action == Action::Make).count();
    let question = format!("Do these {count} things on {}? Nothing changes at Heroku. [y/N] ", client.host());
    match prompt::line(&question).await?.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::failed("nothing was changed")),
    }
}

fn finish(context: &Context, plan: &Plan, done: Option<&[Done]>) -> Outcome {
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Report { plan, result: done })?;
    }
    let Some(done) = done else {
        return if plan.has_work() { Ok(()) } else { printer.note("Everything that can be brought over is here.") };
    };
    if !printer.is_json() {
        let row = |one: &Done| vec![one.step.clone(), one.outcome.to_string(), one.message.clone()];
        printer.table(&["STEP", "RESULT", ""], &done.iter().map(row).collect::<Vec<_>>(), "")?;
    }
    let failed = done.iter().filter(|one| one.outcome == apply::DoneHow::Failed).count();
    if failed > 0 {
        return Err(Failure::with(Exit::Failed, format!("{failed} of {} steps failed", done.len()))
            .hint("mend what they say and run the import again: it does only what is missing"));
    }
    printer.note(format!("Imported {}. Next: `ambo git:remote -a {}` and `git push ambo main`", plan.name, plan.name))
}
