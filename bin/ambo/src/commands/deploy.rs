//! `deploy`.

mod archive;

use std::io;
use std::path::Path;

use ambo_client::types::{BuildImage, BuildOutcome, BuildTrailer};
use ambo_client::{BuildEvent, BuildStream, Client};
use futures::TryStreamExt as _;
use tokio_util::io::ReaderStream;

use crate::args::Deploy;
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::git::Repository;

/// Longest Procfile that is read, in bytes.
const PROCFILE_BYTES_MAX: u64 = 256 * 1024;
/// Bytes that are read and sent at a time.
const UPLOAD_CHUNK_BYTES: usize = 64 * 1024;

pub(super) async fn run(context: &Context, args: Deploy) -> Outcome {
    let (client, app) = context.app()?;
    let stream = match args.image {
        Some(image) => {
            let procfile = procfile(args.procfile.as_deref())?;
            client.build_create_from_image(&app, &BuildImage { image, procfile }).await?
        }
        None => upload(context, &client, &app, &args.directory).await?,
    };
    let trailer = follow(context, stream).await?;
    conclude(context, &app, &trailer)
}

/// The Procfile that was named, or the one that is here.
fn procfile(named: Option<&Path>) -> Outcome<Option<String>> {
    let path = named.unwrap_or(Path::new("Procfile"));
    let read = std::fs::File::open(path).and_then(|file| io::read_to_string(io::Read::take(file, PROCFILE_BYTES_MAX)));
    match read {
        Ok(text) => Ok(Some(text)),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(format!("cannot read `{}`", path.display()), &error)),
    }
}

async fn upload(context: &Context, client: &Client, app: &str, directory: &Path) -> Outcome<BuildStream> {
    let spinner = context.printer.spinner("Packing the files")?;
    let version = Repository::around(directory).and_then(|repository| repository.version());
    let directory = directory.to_owned();
    let packed = tokio::task::spawn_blocking(move || archive::pack(&directory)).await;
    let packed = packed.map_err(|error| Failure::failed(error.to_string()))??;
    drop(spinner);
    for path in &packed.skipped {
        context.printer.warn(format!("left out `{path}`, which is no file, directory or link"))?;
    }
    let bar = if context.printer.shows_progress() {
        let style = indicatif::ProgressStyle::with_template("Uploading {bar:30} {bytes}/{total_bytes}");
        style.map_or_else(
            |_| indicatif::ProgressBar::hidden(),
            |style| indicatif::ProgressBar::new(packed.bytes).with_style(style),
        )
    } else {
        context.printer.note(format!("Uploading {} ...", indicatif::HumanBytes(packed.bytes)))?;
        indicatif::ProgressBar::hidden()
    };
    let counted = bar.clone();
    let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(packed.file), UPLOAD_CHUNK_BYTES);
    let pieces = pieces.inspect_ok(move |piece| counted.inc(piece.len() as u64));
    let stream = client.build_create_from_archive(app, version.as_deref(), packed.bytes, pieces).await;
    bar.finish_and_clear();
    Ok(stream?)
}

/// Passes the output on as it comes. With JSON wanted, standard output is kept for that.
async fn follow(context: &Context, mut stream: BuildStream) -> Outcome<BuildTrailer> {
    loop {
        match stream.next().await? {
            Some(BuildEvent::Output(output)) if context.printer.is_json() => context.printer.raw_error(&output)?,
            Some(BuildEvent::Output(output)) => context.printer.raw(&output)?,
            Some(BuildEvent::Ended(trailer)) => return Ok(trailer),
            None => return Err(Failure::failed("the server did not tell how the build ended")),
        }
    }
}

fn conclude(context: &Context, app: &str, trailer: &BuildTrailer) -> Outcome {
    if context.printer.is_json() {
        context.printer.json(trailer)?;
    }
    match trailer.status {
        BuildOutcome::Succeeded => {
            let version = trailer.release.map_or_else(String::new, |version| format!(" v{version}"));
            let url = trailer.url.as_ref().map_or_else(String::new, |url| format!(": {url}"));
            context.printer.note(format!("Released{version} of {app}{url}"))
        }
        BuildOutcome::Failed => Err(Failure::failed(trailer.message.as_deref().unwrap_or("the deploy failed"))),
    }
}
