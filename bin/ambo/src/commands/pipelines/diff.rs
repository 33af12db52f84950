//! `pipelines diff`: what an app has that the apps of the next stage have not, by the releases' own records.

use std::collections::BTreeSet;

use ambo_client::Client;
use ambo_client::types::{Release, Slug};
use serde::Serialize;
use uuid::Uuid;

use super::promote::next_stage;
use super::{Member, members};
use crate::context::Context;
use crate::exit::{Failure, Outcome};

/// Releases that are looked through for the last one that both have.
const RELEASES_MAX: u32 = 1000;

/// How an app stands to the one before it.
#[derive(Debug, Serialize)]
struct Difference {
    app: String,
    stage: String,
    /// Whether it has ever run what the app before it has.
    related: bool,
    /// Newest first.
    missing: Vec<Missing>,
}

/// A build that has not been promoted.
#[derive(Debug, Serialize)]
struct Missing {
    /// The release that it came with.
    version: u64,
    commit: Option<String>,
    description: String,
    by: String,
}

pub(super) async fn run(context: &Context) -> Outcome {
    let (client, app) = context.app()?;
    let coupling = client.coupling_of_app(&app).await?;
    let all = members(context, &client, &coupling.pipeline.id.to_string()).await?;
    let next = next_stage(&coupling.stage)
        .ok_or_else(|| Failure::usage(format!("{app} is in {}, and nothing comes after it", coupling.stage)))?;
    let targets: Vec<&Member> = all.iter().filter(|member| member.stage == next).collect();
    if targets.is_empty() {
        return Err(Failure::failed(format!("there is no app in {next} to compare {app} with")));
    }
    let ours = client.release_list(&app, RELEASES_MAX).await?;
    let mut differences = Vec::new();
    for target in targets {
        let theirs = client.release_list(&target.app.name, RELEASES_MAX).await?;
        let (related, missing) = missing(&ours, &theirs);
        let mut shown = Vec::new();
        for release in missing {
            shown.push(described(&client, &app, release).await?);
        }
        let (app, stage) = (target.app.name.clone(), target.stage.clone());
        differences.push(Difference { app, stage, related, missing: shown });
    }
    show(context, &app, &differences)
}

/// The releases of ours, newest first, whose builds they have not: those after the build that they run, one per build.
fn missing<'a>(ours: &'a [Release], theirs: &[Release]) -> (bool, Vec<&'a Release>) {
    let build = |release: &Release| release.slug.map(|slug| slug.id);
    let running = theirs.iter().find(|release| release.current).and_then(build);
    let from = ours.iter().position(|release| release.current).unwrap_or(ours.len());
    let mut seen: BTreeSet<Uuid> = BTreeSet::new();
    let mut missing: Vec<&Release> = Vec::new();
    for release in ours[from..].iter().filter(|release| release.status == "succeeded") {
        let Some(build) = build(release) else { continue };
        if Some(build) == running {
            return (true, missing);
        }
        if seen.insert(build) {
            missing.push(release);
        } else if let Some(known) = missing.iter_mut().find(|known| known.slug == release.slug) {
            *known = release; // The release that it came with is the oldest.
        }
    }
    (false, missing)
}

async fn described(client: &Client, app: &str, release: &Release) -> Outcome<Missing> {
    let slug: Option<Slug> = match release.slug {
        Some(slug) => client.slug_find(app, &slug.id.to_string()).await.ok(),
        None => None,
    };
    Ok(Missing {
        version: release.version,
        commit: slug.and_then(|slug| slug.commit),
        description: release.description.clone(),
        by: release.user.email.clone(),
    })
}

fn show(context: &Context, app: &str, differences: &[Difference]) -> Outcome {
    if context.printer.is_json() {
        return context.printer.json(differences);
    }
    for difference in differences {
        let Difference { app: target, stage, related, missing } = difference;
        if missing.is_empty() {
            context.printer.data(format!("{target} ({stage}) is up to date with {app}"))?;
            continue;
        }
        let count = missing.len();
        let s = if count == 1 { "" } else { "s" };
        context.printer.data(format!("{target} ({stage}) is behind {app} by {count} build{s}:"))?;
        let cells = |one: &Missing| {
            let commit = one.commit.as_deref().unwrap_or("").chars().take(12).collect();
            vec![format!("v{}", one.version), commit, one.description.clone(), one.by.clone()]
        };
        let rows: Vec<_> = missing.iter().map(cells).collect();
        context.printer.table(&["RELEASE", "COMMIT", "WHAT", "WHO"], &rows, "")?;
        if !related {
            context.printer.hint(format!("{target} runs nothing that {app} has run: was it deployed by itself?"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_client::types::{AppReference, IdReference, UserReference};

    fn release(version: u64, build: Option<u128>, current: bool) -> Release {
        let id = Uuid::from_u128(u128::from(version) << 64);
        Release {
            id,
            version,
            description: format!("Deploy {version}"),
            status: "succeeded".to_owned(),
            message: None,
            current,
            user: UserReference { id, email: "ann@example.com".to_owned() },
            app: AppReference { id, name: "shop".to_owned() },
            slug: build.map(|build| IdReference { id: Uuid::from_u128(build) }),
            artifacts: Vec::new(),
            addon_plan_names: Vec::new(),
            eligible_for_rollback: true,
            output_stream_url: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            updated_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn versions(ours: &[Release], theirs: &[Release]) -> (bool, Vec<u64>) {
        let (related, missing) = missing(ours, theirs);
        (related, missing.iter().map(|release| release.version).collect())
    }

    #[test]
    fn what_is_missing_is_what_came_after_the_build_that_they_run() {
        let ours = [
            release(6, Some(3), true),
            release(5, Some(3), false),
            release(4, Some(2), false),
            release(3, Some(1), false),
            release(1, None, false),
        ];
        assert_eq!(versions(&ours, &[release(9, Some(1), true)]), (true, vec![5, 4]));
        assert_eq!(versions(&ours, &[release(9, Some(3), true), release(8, Some(1), false)]), (true, vec![]));
        assert_eq!(versions(&ours, &[release(1, None, true)]), (false, vec![5, 4, 3]));
        assert_eq!(versions(&[], &[]), (false, vec![]));
    }

    #[test]
    fn what_was_rolled_back_from_is_not_missing() {
        let ours = [release(4, Some(1), true), release(3, Some(2), false), release(2, Some(1), false)];
        assert_eq!(versions(&ours, &[release(7, Some(1), true)]), (true, vec![]));
    }
}
