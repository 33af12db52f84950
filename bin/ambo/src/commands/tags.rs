//! `tags`.

use std::collections::BTreeMap;

use ambo_client::types::{Tags, TagsUpdate};

use crate::args::{TagsCommand, TagsSet, TagsUnset};
use crate::context::Context;
use crate::exit::{Failure, Outcome};

pub(super) async fn run(context: &Context, command: TagsCommand) -> Outcome {
    let update = match command {
        TagsCommand::List(_) => {
            let (client, app) = context.app()?;
            return show(context, &client.tags_info(&app).await?);
        }
        TagsCommand::Set(args) => to_set(args)?,
        TagsCommand::Unset(args) => to_unset(args),
    };
    let (client, app) = context.app()?;
    let spinner = context.printer.spinner(&format!("Changing the tags of {app}"))?;
    let tags = client.tags_update(&app, &update).await?;
    drop(spinner);
    show(context, &tags)
}

fn to_set(args: TagsSet) -> Outcome<TagsUpdate> {
    let mut tags = BTreeMap::new();
    for text in args.tags {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Failure::usage(format!("`{text}` has no value"))
                .hint(format!("as in `ambo tags:set {} {text}=eu`", args.process)));
        };
        tags.insert(key.to_owned(), Some(value.to_owned()));
    }
    Ok([(args.process, tags)].into())
}

fn to_unset(args: TagsUnset) -> TagsUpdate {
    [(args.process, args.keys.into_iter().map(|key| (key, None)).collect())].into()
}

fn show(context: &Context, tags: &Tags) -> Outcome {
    if context.printer.is_json() {
        return context.printer.json(tags);
    }
    let shown = |tags: &BTreeMap<String, String>| match tags.is_empty() {
        true => "any node".to_owned(),
        false => tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
    };
    let rows: Vec<_> = tags.iter().map(|(process, tags)| vec![process.clone(), shown(tags)]).collect();
    context.printer.table(&["PROCESS", "TAGS"], &rows, "No process has tags.")
}
