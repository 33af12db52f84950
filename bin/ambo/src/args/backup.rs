use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Arguments of `platform backup`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PlatformBackup {
    #[command(subcommand)]
    pub(crate) command: Option<PlatformBackupCommand>,
    /// A file of this machine, or a bucket that the server reaches: s3://…, azure://…, gs://…; the server's setting by default
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) to: Option<String>,
    /// Who can open it: age1…, as `ambod backup identity` prints; the server's setting by default
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "passphrase")]
    pub(crate) recipient: Vec<String>,
    /// Close it with a passphrase, which is asked for; AMBO_BACKUP_PASSPHRASE has it without a question
    #[arg(long)]
    pub(crate) passphrase: bool,
}

/// `platform backup`.
#[derive(Debug, Subcommand)]
pub(crate) enum PlatformBackupCommand {
    /// List the archives that the server keeps
    List,
    /// Read an archive to its end: that it is what was written, and holds what its apps need
    Verify(ArchiveArgs),
}

/// An archive, and what opens it.
#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    /// A file, or a bucket's URL, of the archive or for the newest
    #[arg(value_name = "FILE|URL")]
    pub(crate) archive: String,
    /// File with the identity that opens it; otherwise AMBO_BACKUP_PASSPHRASE does
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_file: Option<PathBuf>,
}

/// Arguments of `platform restore`.
#[derive(Debug, Args)]
pub(crate) struct PlatformRestore {
    #[command(flatten)]
    pub(crate) archive: ArchiveArgs,
    /// Directory for the platform, which must be empty; as `ambod`'s settings say by default
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data: Option<PathBuf>,
}
