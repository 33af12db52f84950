//! `pipelines promote`.

use std::time::{Duration, Instant};

use ambo_client::Client;
use ambo_client::types::{
    PipelinePromotionCreate, PipelinePromotionTarget, PromotionSourceCreate, PromotionTargetCreate, TextReference,
};
use serde::Serialize;

use super::{Member, STAGES, members};
use crate::args::PipelinesPromote;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

/// Pause between two questions how far it is.
const WAIT_INTERVAL: Duration = Duration::from_millis(500);
/// Longest wait: a release phase and a rollout, behind another deploy.
const WAIT_MAX: Duration = Duration::from_secs(90 * 60);

/// What `--json` prints of each target.
#[derive(Serialize)]
struct Ended<'a> {
    app: &'a str,
    #[serde(flatten)]
    target: &'a PipelinePromotionTarget,
}

pub(super) async fn run(context: &Context, args: PipelinesPromote) -> Outcome {
    let (client, app) = context.app()?;
    let coupling = client.coupling_of_app(&app).await?;
    let all = members(context, &client, &coupling.pipeline.id.to_string()).await?;
    let source = all.iter().find(|member| member.app.id == coupling.app.id);
    let source = source.ok_or_else(|| Failure::failed(format!("{app} has left its pipeline")))?;
    let targets = targets(&all, source, &args.to)?;
    let reference = |member: &Member| TextReference { id: member.app.id.to_string() };
    let create = PipelinePromotionCreate {
        pipeline: TextReference { id: coupling.pipeline.id.to_string() },
        source: PromotionSourceCreate { app: reference(source), release: args.release.map(|id| TextReference { id }) },
        targets: targets.iter().map(|member| PromotionTargetCreate { app: reference(member) }).collect(),
    };
    let promotion = client.promotion_create(&create).await?;
    let names: Vec<&str> = targets.iter().map(|member| member.app.name.as_str()).collect();
    context.printer.note(format!("Promoting {} to {}", source.app.name, names.join(", ")))?;
    if args.no_wait {
        return if context.printer.is_json() { context.printer.json(&promotion) } else { Ok(()) };
    }
    let ended = wait(context, &client, &promotion.id.to_string()).await?;
    report(context, &targets, &ended)
}

fn targets<'a>(all: &'a [Member], source: &Member, named: &[String]) -> Outcome<Vec<&'a Member>> {
    if !named.is_empty() {
        let find = |name: &String| {
            let found = all.iter().find(|member| member.app.name == *name || member.app.id.to_string() == *name);
            found.ok_or_else(|| Failure::with(Exit::NotFound, format!("there is no app `{name}` in this pipeline")))
        };
        return named.iter().filter(|name| !name.is_empty()).map(find).collect();
    }
    let next = next_stage(&source.stage).ok_or_else(|| {
        Failure::usage(format!("{} is in {}, and nothing comes after it", source.app.name, source.stage))
            .hint("name the apps to promote to with `--to APP`")
    })?;
    let found: Vec<&Member> = all.iter().filter(|member| member.stage == next).collect();
    if found.is_empty() {
        return Err(Failure::failed(format!("there is no app in {next} to promote {} to", source.app.name))
            .hint(format!("put one there with `ambo pipelines:add PIPELINE --stage {next} -a APP`")));
    }
    Ok(found)
}

/// The stage that promotions from this one go to.
pub(super) fn next_stage(stage: &str) -> Option<&'static str> {
    let at = STAGES.iter().position(|known| *known == stage)?;
    STAGES.get(at + 1).copied()
}

async fn wait(context: &Context, client: &Client, promotion: &str) -> Outcome<Vec<PipelinePromotionTarget>> {
    let spinner = context.printer.spinner("Waiting for the promotion")?;
    let begun = Instant::now();
    loop {
        let targets = client.promotion_targets(promotion).await?;
        if targets.iter().all(|target| target.status != "pending") {
            drop(spinner);
            return Ok(targets);
        }
        if begun.elapsed() > WAIT_MAX {
            return Err(Failure::failed("the promotion takes very long: it goes on, but nobody waits for it any more")
                .hint("see `ambo releases` of the apps"));
        }
        tokio::time::sleep(WAIT_INTERVAL).await;
    }
}

fn report(context: &Context, members: &[&Member], ended: &[PipelinePromotionTarget]) -> Outcome {
    let name = |target: &PipelinePromotionTarget| {
        let member = members.iter().find(|member| member.app.id == target.app.id);
        member.map_or("(unknown)", |member| member.app.name.as_str())
    };
    if context.printer.is_json() {
        let ended: Vec<Ended<'_>> = ended.iter().map(|target| Ended { app: name(target), target }).collect();
        context.printer.json(&ended)?;
    } else {
        let cells = |target: &PipelinePromotionTarget| {
            let message = target.error_message.clone().unwrap_or_default();
            vec![name(target).to_owned(), target.status.clone(), message]
        };
        let rows: Vec<_> = ended.iter().map(cells).collect();
        context.printer.table(&["APP", "STATUS", "WHY"], &rows, "")?;
    }
    let failed: Vec<&str> = ended.iter().filter(|target| target.status != "succeeded").map(name).collect();
    if failed.is_empty() {
        return context.printer.note("Promoted");
    }
    Err(Failure::failed(format!("the promotion to {} failed; what served there serves on", failed.join(", ")))
        .hint(format!("see `ambo logs -a {}`", failed[0])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotions_go_from_development_to_staging_to_production() {
        assert_eq!(next_stage("development"), Some("staging"));
        assert_eq!(next_stage("staging"), Some("production"));
        assert_eq!(next_stage("production"), None);
        assert_eq!(next_stage("review"), None);
    }
}
