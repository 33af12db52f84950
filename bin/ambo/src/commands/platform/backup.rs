//! `platform backup` and `platform restore`. The server makes archives; `ambod`, on this machine, reads them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ambo_client::types::{Backup, BackupCreate, BackupStatus, Secret};
use ambo_client::{Client, ClientError};
use ambo_operator::bundle::KnownKeys;
use ambo_operator::install::Plan;
use indicatif::HumanBytes;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::args::{ArchiveArgs, PlatformBackup, PlatformBackupCommand, PlatformRestore};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::prompt;

/// Between two looks at a backup that the server makes.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// The variable with the passphrase.
const PASSPHRASE: &str = "AMBO_BACKUP_PASSPHRASE";
/// The variable with an identity.
const IDENTITY: &str = "AMBO_BACKUP_IDENTITY";

pub(super) async fn backup(context: &Context, args: PlatformBackup) -> Outcome {
    match args.command {
        Some(PlatformBackupCommand::List) => list(context).await,
        Some(PlatformBackupCommand::Verify(archive)) => verify(archive).await,
        None => create(context, args).await,
    }
}

pub(super) async fn restore(args: PlatformRestore) -> Outcome {
    let mut command = ambod(&["restore"], &args.archive);
    if let Some(data) = args.data {
        command.arg("--data").arg(data);
    }
    ended(command).await
}

async fn verify(archive: ArchiveArgs) -> Outcome {
    ended(ambod(&["backup", "verify"], &archive)).await
}

async fn list(context: &Context) -> Outcome {
    let archives = context.client()?.backup_list().await?;
    if context.printer.is_json() {
        return context.printer.json(&archives);
    }
    let row = |archive: &ambo_client::types::BackupArchive| {
        vec![archive.name.clone(), archive.created_at.to_string(), HumanBytes(archive.size).to_string()]
    };
    let rows: Vec<_> = archives.iter().map(row).collect();
    context.printer.table(&["ARCHIVE", "MADE", "SIZE"], &rows, "no backups yet")
}

async fn create(context: &Context, args: PlatformBackup) -> Outcome {
    let create =
        BackupCreate { passphrase: passphrase(&args).await?, recipients: args.recipient, ..BackupCreate::default() };
    let client = context.client()?;
    match args.to.as_deref() {
        // A directory of the server's machine is no file of ours: the server says so.
        Some(file) if !file.contains("://") && !file.starts_with("disk:") => {
            download(context, &client, create, Path::new(file)).await
        }
        to => in_bucket(context, &client, BackupCreate { to: to.map(str::to_owned), ..create }).await,
    }
}

/// `None` leaves it to the server.
async fn passphrase(args: &PlatformBackup) -> Outcome<Option<Secret>> {
    let given = std::env::var(PASSPHRASE).ok().filter(|text| !text.is_empty() && args.recipient.is_empty());
    if let Some(given) = given {
        return Ok(Some(Secret::new(given)));
    }
    if !args.passphrase {
        return Ok(None);
    }
    if !prompt::is_possible() {
        return Err(Failure::usage(format!("there is nobody to ask for the passphrase: give it in {PASSPHRASE}")));
    }
    let first = prompt::hidden("Passphrase of the archive: ").await?;
    if prompt::hidden("Once more: ").await? != first {
        return Err(Failure::usage("these are two different passphrases"));
    }
    Ok(Some(Secret::new(first)))
}

async fn in_bucket(context: &Context, client: &Client, create: BackupCreate) -> Outcome {
    let mut backup = client.backup_create(&create).await?;
    let spinner = context.printer.spinner(&format!("Backing up to {}", backup.to))?;
    while backup.status == BackupStatus::Pending {
        tokio::time::sleep(LOOK_PAUSE).await;
        backup = match client.backup_info(backup.id).await {
            // It goes on without us.
            Err(ClientError::Unavailable(_) | ClientError::Transport { .. }) => backup,
            found => found?,
        };
    }
    drop(spinner);
    if context.printer.is_json() {
        context.printer.json(&backup)?;
    }
    told(context, &backup)
}

fn told(context: &Context, backup: &Backup) -> Outcome {
    for fault in &backup.missing {
        context.printer.warn(format!("{fault}; it was so in the platform already"))?;
    }
    let Some(archive) = &backup.archive else {
        return Err(Failure::failed(backup.failure.clone().unwrap_or_else(|| "there is no archive".to_owned())));
    };
    if context.printer.is_json() {
        return Ok(());
    }
    let took = Duration::from_millis(backup.duration_ms.unwrap_or_default());
    context.printer.pairs(&[
        ("Archive", format!("{} in {}", archive.name, backup.to)),
        ("Size", HumanBytes(archive.size).to_string()),
        ("Took", format!("{:.1} s", took.as_secs_f32())),
        ("Holds", backup.contents.clone().unwrap_or_default()),
    ])
}

/// The file is there when the archive is whole, and not before.
async fn download(context: &Context, client: &Client, create: BackupCreate, path: &Path) -> Outcome {
    if path.exists() {
        let taken = format!("{} is there already: name another file", path.display());
        return Err(Failure::with(Exit::Conflict, taken));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| Failure::io(format!("cannot write {}", path.display()), &error);
    // Named files of `tempfile` are made with mode 0600, and removed unless they are kept.
    let (file, new) = tempfile::NamedTempFile::new_in(directory).map_err(failed)?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut archive = client.backup_download(&create).await?;
    let spinner = context.printer.spinner(&format!("Backing up to {}", path.display()))?;
    let (begun, mut bytes) = (tokio::time::Instant::now(), 0);
    while let Some(piece) = archive.next().await? {
        bytes += piece.len() as u64;
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)?;
    new.persist_noclobber(path).map_err(|error| failed(error.error))?;
    drop(spinner);
    let (took, shown) = (begun.elapsed(), path.display());
    context.printer.note(format!("{shown}: {} in {:.1} s", HumanBytes(bytes), took.as_secs_f32()))?;
    context
        .printer
        .hint(format!("it holds every secret of the platform, encrypted: `ambo platform backup verify {shown}`"))
}

/// Installs the platform of a backup: with its keys, and told where its state is.
pub(super) async fn plan_restore(plan: &mut Plan, archive: &str) -> Outcome {
    if !archive.contains("://") {
        return Err(Failure::usage(
            "a cluster restores from a bucket, which its machines reach: put the archive there",
        ));
    }
    let named = ArchiveArgs { archive: archive.to_owned(), identity_file: None };
    let output = ambod(&["backup", "keys"], &named).stderr(Stdio::inherit()).output().await.map_err(not_run)?;
    if !output.status.success() {
        return Err(Failure::quiet(Exit::Failed));
    }
    let unreadable = |error: serde_json::Error| Failure::failed(format!("`ambod` says something else: {error}"));
    let Known { platform, mut keys } = serde_json::from_slice(&output.stdout).map_err(unreadable)?;
    let mut take = |name: &str| {
        let lacks = || Failure::failed(format!("the archive has no `{name}`: a platform cannot be made of it"));
        keys.remove(name).ok_or_else(lacks)
    };
    plan.keys = Some(KnownKeys::new(take("master.key")?, take("tls/ca.crt")?, take("tls/ca.key")?));
    plan.platform = platform;
    plan.settings.insert("AMBO_RESTORE_FROM".to_owned(), archive.to_owned());
    let opening =
        [PASSPHRASE, IDENTITY].into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    plan.credentials.extend(opening);
    Ok(())
}

/// What `ambod backup keys` prints.
#[derive(Deserialize)]
struct Known {
    platform: String,
    keys: BTreeMap<String, String>,
}

/// `ambod` beside this program, or else the one on the path.
fn ambod(words: &[&str], archive: &ArchiveArgs) -> Command {
    let beside = std::env::current_exe().ok().map(|ambo| ambo.with_file_name("ambod")).filter(|ambod| ambod.is_file());
    let mut command = Command::new(beside.unwrap_or_else(|| "ambod".into()));
    command.args(words).arg(&archive.archive).stdin(Stdio::inherit());
    if let Some(identity) = &archive.identity_file {
        command.arg("--identity-file").arg(identity);
    }
    command
}

/// What it says, it says itself.
async fn ended(mut command: Command) -> Outcome {
    match command.status().await.map_err(not_run)?.success() {
        true => Ok(()),
        false => Err(Failure::quiet(Exit::Failed)),
    }
}

fn not_run(error: std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::with(Exit::Unavailable, "archives are read by `ambod`, which is not on this machine")
        }
        _ => Failure::io("cannot run `ambod`", &error),
    }
}
