//! `builds`.

use ambo_client::types::Build;
use jiff::Timestamp;

use crate::age::ago;
use crate::args::{BuildsCommand, BuildsInfo, BuildsList};
use crate::context::Context;
use crate::exit::Outcome;

/// Characters of a commit that a table shows.
const SOURCE_CHARS: usize = 12;

pub(super) async fn run(context: &Context, command: BuildsCommand) -> Outcome {
    match command {
        BuildsCommand::List(args) => list(context, args).await,
        BuildsCommand::Info(args) => info(context, args).await,
    }
}

async fn list(context: &Context, args: BuildsList) -> Outcome {
    let (client, app) = context.app()?;
    let builds = client.build_list(&app, args.num).await?;
    if context.printer.is_json() {
        return context.printer.json(&builds);
    }
    let now = Timestamp::now();
    let cells = |build: &Build| {
        let source = build.source_blob.version.as_deref().unwrap_or_default();
        vec![
            build.id.to_string(),
            build.status.clone(),
            source.chars().take(SOURCE_CHARS).collect(),
            build.user.email.clone(),
            ago(build.created_at, now),
        ]
    };
    let rows: Vec<_> = builds.iter().map(cells).collect();
    let empty = format!("{app} has no builds yet. `git push` makes one.");
    context.printer.table(&["BUILD", "STATUS", "SOURCE", "WHO", "WHEN"], &rows, &empty)
}

async fn info(context: &Context, args: BuildsInfo) -> Outcome {
    let (client, app) = context.app()?;
    let build = client.build_info(&app, &args.id).await?;
    if context.printer.is_json() {
        return context.printer.json(&build);
    }
    let mut pairs = vec![
        ("Build", build.id.to_string()),
        ("Status", build.status.clone()),
        ("Source", build.source_blob.version.clone().unwrap_or_default()),
        ("Who", build.user.email.clone()),
        ("When", ago(build.created_at, Timestamp::now())),
    ];
    if let Some(message) = build.message {
        pairs.push(("Why", message));
    }
    context.printer.pairs(&pairs)
}
