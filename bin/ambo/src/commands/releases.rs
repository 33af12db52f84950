//! `releases`.

use std::time::Duration;

use ambo_client::Client;
use ambo_client::types::{ConfigVars, Release};
use jiff::Timestamp;
use serde::Serialize;

use crate::age::ago;
use crate::args::{ReleasesCommand, ReleasesInfo, ReleasesList, ReleasesRollback};
use crate::context::Context;
use crate::dotenv;
use crate::exit::{Exit, Failure, Outcome};

/// Releases among which the one to go back to is looked for.
const ROLLBACK_CANDIDATES: u32 = 200;
/// Pause between two questions whether a release is through.
const WAIT_INTERVAL: Duration = Duration::from_millis(400);
/// Longest wait for a release, which includes its release phase and its rollout.
const WAIT_MAX: Duration = Duration::from_secs(75 * 60);

pub(super) async fn run(context: &Context, command: ReleasesCommand) -> Outcome {
    match command {
        ReleasesCommand::List(args) => list(context, args).await,
        ReleasesCommand::Info(args) => info(context, args).await,
        ReleasesCommand::Rollback(args) => rollback(context, args).await,
    }
}

async fn list(context: &Context, args: ReleasesList) -> Outcome {
    let (client, app) = context.app()?;
    let releases = client.release_list(&app, args.num).await?;
    if context.printer.is_json() {
        return context.printer.json(&releases);
    }
    let now = Timestamp::now();
    let rows: Vec<_> = releases.iter().map(|release| cells(release, now)).collect();
    let empty = format!("{app} has no releases yet. `git push` makes one.");
    context.printer.table(&["RELEASE", "STATUS", "WHAT", "WHO", "WHEN"], &rows, &empty)
}

fn cells(release: &Release, now: Timestamp) -> Vec<String> {
    vec![
        format!("v{}", release.version),
        status(release).to_owned(),
        release.description.clone(),
        release.user.email.clone(),
        ago(release.created_at, now),
    ]
}

fn status(release: &Release) -> &str {
    if release.current { "current" } else { &release.status }
}

#[derive(Serialize)]
struct Description<'a> {
    #[serde(flatten)]
    release: &'a Release,
    config: &'a ConfigVars,
}

async fn info(context: &Context, args: ReleasesInfo) -> Outcome {
    let (client, app) = context.app()?;
    let release = match args.release {
        Some(version) => client.release_info(&app, version).await?,
        None => newest(&client, &app).await?.ok_or_else(|| {
            Failure::with(Exit::NotFound, format!("{app} has no releases yet")).hint("`git push` makes one")
        })?,
    };
    let config = client.config_of_release(&app, release.version).await?;
    if context.printer.is_json() {
        return context.printer.json(&Description { release: &release, config: &config });
    }
    if args.shell {
        return context.printer.raw(dotenv::write(&config).as_bytes());
    }
    let mut pairs = vec![
        ("Release", format!("v{}", release.version)),
        ("Status", status(&release).to_owned()),
        ("What", release.description.clone()),
        ("Who", release.user.email.clone()),
        ("When", ago(release.created_at, Timestamp::now())),
    ];
    if let Some(message) = &release.message {
        pairs.push(("Why", message.clone()));
    }
    pairs.push(("Config", config.keys().cloned().collect::<Vec<_>>().join(", ")));
    context.printer.pairs(&pairs)
}

async fn rollback(context: &Context, args: ReleasesRollback) -> Outcome {
    let (client, app) = context.app()?;
    let version = match args.release {
        Some(version) => version,
        None => previous(&client.release_list(&app, ROLLBACK_CANDIDATES).await?).ok_or_else(|| {
            Failure::failed(format!("{app} has no earlier release to go back to")).hint("`ambo releases` lists them")
        })?,
    };
    let spinner = context.printer.spinner(&format!("Rolling {app} back to v{version}"))?;
    let release = client.release_rollback(&app, version).await?;
    let release = settled(&client, &app, release).await?;
    drop(spinner);
    context.printer.note(format!("Rolled back to v{version}; released v{}", release.version))?;
    if context.printer.is_json() { context.printer.json(&release) } else { Ok(()) }
}

/// The youngest release before the current one that can be gone back to.
fn previous(releases: &[Release]) -> Option<u64> {
    let current = releases.iter().find(|release| release.current).or_else(|| releases.first())?.version;
    let earlier = releases.iter().filter(|release| release.version < current && release.eligible_for_rollback);
    earlier.map(|release| release.version).max()
}

/// The newest release.
pub(super) async fn newest(client: &Client, app: &str) -> Outcome<Option<Release>> {
    Ok(client.release_list(app, 1).await?.into_iter().next())
}

/// Waits until a release serves, or has failed.
pub(super) async fn settled(client: &Client, app: &str, release: Release) -> Outcome<Release> {
    let (mut release, until) = (release, tokio::time::Instant::now() + WAIT_MAX);
    // Without a build there is nothing to roll out.
    while release.status == "pending" && release.slug.is_some() {
        if tokio::time::Instant::now() > until {
            return Err(Failure::failed(format!("v{} is still not through", release.version))
                .hint(format!("`ambo releases:info v{} -a {app}` tells how it goes on", release.version)));
        }
        tokio::time::sleep(WAIT_INTERVAL).await;
        release = client.release_info(app, release.version).await?;
    }
    if release.status == "failed" {
        let why = release.message.as_deref().unwrap_or("it did not become healthy");
        return Err(Failure::failed(format!("release v{} failed: {why}", release.version))
            .hint(format!("the release before it still serves; `ambo logs -a {app}` may say more")));
    }
    Ok(release)
}
