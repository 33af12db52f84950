//! `tokens`.

use ambo_client::types::{Authorization, AuthorizationCreate};
use jiff::{Timestamp, ToSpan as _};

use crate::age::{ago, until};
use crate::args::{TokensCommand, TokensCreate, TokensRevoke};
use crate::context::Context;
use crate::exit::{Failure, Outcome};

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

pub(super) async fn run(context: &Context, command: TokensCommand) -> Outcome {
    match command {
        TokensCommand::List(_) => list(context).await,
        TokensCommand::Create(args) => create(context, args).await,
        TokensCommand::Revoke(args) => revoke(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let tokens = context.client()?.token_list().await?;
    if context.printer.is_json() {
        return context.printer.json(&tokens);
    }
    let now = Timestamp::now();
    let rows: Vec<_> = tokens.iter().map(|token| cells(token, now)).collect();
    context.printer.table(
        &["ID", "DESCRIPTION", "SCOPE", "CREATED", "LAST USED", "EXPIRES"],
        &rows,
        "You have no tokens.",
    )
}

fn cells(token: &Authorization, now: Timestamp) -> Vec<String> {
    let seconds = token.access_token.as_ref().and_then(|access| access.expires_in);
    let end = seconds.and_then(|seconds| now.checked_add(i64::try_from(seconds).ok()?.seconds()).ok());
    vec![
        token.id.to_string(),
        token.description.clone(),
        token.scope.join(" "),
        ago(token.created_at, now),
        token.last_used_at.map_or_else(|| "unknown".to_owned(), |at| ago(at, now)),
        end.map_or_else(|| "never".to_owned(), |at| until(at, now)),
    ]
}

async fn create(context: &Context, args: TokensCreate) -> Outcome {
    let create = AuthorizationCreate {
        description: args.description.clone(),
        expires_in: args.expires_in.map(|days| u64::from(days) * DAY_SECONDS),
        scope: Some(vec![scope(&args)]),
    };
    let token = context.client()?.token_create(&create).await?;
    if context.printer.is_json() {
        return context.printer.json(&token);
    }
    let access = token.access_token.ok_or_else(|| Failure::failed("the server gave no token"))?;
    context.printer.note(format!("Created token {}. It is shown this once:", token.id))?;
    context.printer.data(access.token.reveal())
}

fn scope(args: &TokensCreate) -> String {
    match &args.deploy {
        Some(app) => format!("deploy:{app}"),
        None if args.read => "read".to_owned(),
        None => "global".to_owned(),
    }
}

async fn revoke(context: &Context, args: TokensRevoke) -> Outcome {
    let id = args.id.parse().map_err(|_| {
        Failure::usage(format!("`{}` is no token's id", args.id)).hint("`ambo tokens` lists them with their ids")
    })?;
    context.client()?.token_revoke(id).await?;
    context.printer.note(format!("Revoked token {id}"))
}
