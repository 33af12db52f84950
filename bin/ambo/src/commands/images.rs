//! `images`: for administrators.

use indicatif::HumanBytes;

use crate::args::ImagesCommand;
use crate::context::Context;
use crate::exit::Outcome;

pub(super) async fn run(context: &Context, command: ImagesCommand) -> Outcome {
    let ImagesCommand::Collect = command;
    let client = context.client()?;
    let spinner = context.printer.spinner("Collecting images")?;
    let collected = client.images_collect().await?;
    drop(spinner);
    if context.printer.is_json() {
        return context.printer.json(&collected);
    }
    let told = |total: ambo_client::types::ImagesTotal| format!("{} images, {}", total.images, HumanBytes(total.bytes));
    context.printer.pairs(&[("Freed", told(collected.freed)), ("Kept", told(collected.kept))])
}
