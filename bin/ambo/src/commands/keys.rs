//! `keys`.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ambo_client::types::{Key, KeyCreate};
use jiff::Timestamp;

use crate::age::ago;
use crate::args::{KeysAdd, KeysCommand, KeysRemove};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

/// Longest file that is taken for a key, in bytes.
const KEY_BYTES_MAX: u64 = 64 * 1024;
/// Files looked for when none is named, best first.
const DEFAULT_FILES: [&str; 3] = [".ssh/id_ed25519.pub", ".ssh/id_ecdsa.pub", ".ssh/id_rsa.pub"];

pub(super) async fn run(context: &Context, command: KeysCommand) -> Outcome {
    match command {
        KeysCommand::List(_) => list(context).await,
        KeysCommand::Add(args) => add(context, args).await,
        KeysCommand::Remove(args) => remove(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let keys = context.client()?.key_list().await?;
    if context.printer.is_json() {
        return context.printer.json(&keys);
    }
    let now = Timestamp::now();
    let cells =
        |key: &Key| vec![key.comment.clone(), kind(&key.public_key), key.fingerprint.clone(), ago(key.created_at, now)];
    let rows: Vec<_> = keys.iter().map(cells).collect();
    context.printer.table(
        &["COMMENT", "KIND", "FINGERPRINT", "ADDED"],
        &rows,
        "You have no keys yet. `ambo keys:add` adds one.",
    )
}

fn kind(public_key: &str) -> String {
    public_key.split_whitespace().next().unwrap_or_default().to_owned()
}

async fn add(context: &Context, args: KeysAdd) -> Outcome {
    let file = match args.file {
        Some(file) => file,
        None => default_file()?,
    };
    let public_key = read(&file)?;
    let key = context.client()?.key_create(&KeyCreate { public_key }).await?;
    context.printer.note(format!("Added {} ({})", file.display(), key.fingerprint))?;
    if context.printer.is_json() { context.printer.json(&key) } else { Ok(()) }
}

fn default_file() -> Outcome<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let found = DEFAULT_FILES.iter().map(|name| home.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Failure::failed("there is no public key in ~/.ssh")
            .hint("make one with `ssh-keygen -t ed25519`, or name its file")
    })
}

fn read(file: &Path) -> Outcome<String> {
    let shown = file.display();
    let mut text = String::new();
    fs::File::open(file)
        .and_then(|file| file.take(KEY_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| Failure::io(format!("cannot read `{shown}`"), &error))?;
    if text.contains("PRIVATE KEY") {
        return Err(Failure::usage(format!("`{shown}` is a private key, which must stay where it is"))
            .hint(format!("give the public one: {shown}.pub")));
    }
    Ok(text.trim().to_owned())
}

async fn remove(context: &Context, args: KeysRemove) -> Outcome {
    let client = context.client()?;
    let keys = client.key_list().await?;
    let wanted = args.key.as_str();
    let is_wanted = |key: &&Key| key.id.to_string() == wanted || key.fingerprint == wanted || key.comment == wanted;
    let found: Vec<_> = keys.iter().filter(is_wanted).collect();
    match found.as_slice() {
        [key] => {
            client.key_remove(&key.id.to_string()).await?;
            context.printer.note(format!("Removed {}", key.fingerprint))
        }
        [] => Err(Failure::with(Exit::NotFound, format!("you have no key `{wanted}`")).hint("`ambo keys` lists them")),
        _ => Err(Failure::usage(format!("several keys are called `{wanted}`")).hint("name the fingerprint")),
    }
}
