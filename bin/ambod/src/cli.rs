//! The command line of `ambod`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::Given;

const AFTER_HELP: &str = "\
`ambod settings` shows every setting with its value and where it comes from.
The key that seals config at rest is read from AMBO_MASTER_KEY (32 bytes in base64) or else from master.key in the data directory, \
which is made at the first start: back it up.";

/// The server of Ambo: git push, and the app is built, released, run and routed.
#[derive(Debug, Parser)]
#[command(name = "ambod", version, about, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// TOML file with settings; ambod.toml in the data directory when not given
    #[arg(long = "settings", env = "AMBO_SETTINGS", global = true, value_name = "FILE")]
    pub(crate) settings_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) given: Given,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the platform: API, git, builder, registry, scheduler, router and logs in one process
    ///
    /// SIGTERM stops it: it accepts nothing more, drains requests, cancels or hands back what is at hand. Apps keep running.
    /// SIGHUP restarts it from the program file without refusing a connection.
    Serve,
    /// List every setting with its value and where it comes from
    Settings,
    /// Say whether the components of this node are well; for the keeper's health check
    #[command(hide = true)]
    Healthy,
    /// The platform's state: look after where it is kept
    #[command(subcommand)]
    Store(StoreCommand),
    /// Archives of the whole platform; `ambo platform backup` makes one of a platform that runs
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Make a platform of a backup, where there is none: an empty data directory, store and bucket
    ///
    /// What opens the archive is its passphrase in AMBO_BACKUP_PASSPHRASE, or an identity. A restore that is interrupted is
    /// begun again by the same command; no platform starts on what it left.
    Restore {
        #[command(flatten)]
        archive: ArchiveArgs,
    },
    /// Make this machine a node of a cluster: its engine joins the swarm, which brings everything else
    ///
    /// `ambo nodes join-config` on the cluster prints the token, in a text that does all this on a fresh machine.
    Join {
        /// A manager of the cluster: an address, with a port if it is not 2377
        #[arg(value_name = "MANAGER")]
        manager: String,
        /// The token; better in the variable, where other users of the machine do not see it
        #[arg(long, env = "AMBO_JOIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
        token: String,
        /// A label of this machine, by which apps choose among nodes
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = ambo_operator::joining::label_parse)]
        labels: Vec<(String, String)>,
    },
    /// Set this machine up for production: a hardened systemd unit, ports 80 and 443, data under /var/lib/ambo
    Install {
        /// Print what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Move the state to another store, as from one machine to a cluster or back; stop the platform first
    ///
    /// The source is left as it is. The target must be empty, or hold what an interrupted move has left: then it is begun again.
    /// In the end both are read again and compared by checksum. How to log in to etcd is said by the settings store-ca,
    /// store-certificate, store-key and store-user. The state alone is moved: not images, repositories, logs or the master key.
    Migrate {
        /// Where the state is: sqlite:/var/lib/ambo/state.db, or etcd://10.0.0.1:2379,10.0.0.2:2379
        #[arg(long, value_name = "STORE")]
        from: String,
        /// Where it shall be, written alike
        #[arg(long, value_name = "STORE")]
        to: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Back up a platform that is stopped
    ///
    /// Whoever can open the archive is said by the setting backup-recipients, or by a passphrase in AMBO_BACKUP_PASSPHRASE.
    Create {
        /// A file, or a bucket: s3://bucket/prefix, azure://container, gs://bucket, disk:/path; the setting backup-to by default
        #[arg(long, value_name = "FILE|URL")]
        to: Option<String>,
    },
    /// Read an archive to its end: that it is what was written, and holds what its apps need
    Verify {
        #[command(flatten)]
        archive: ArchiveArgs,
    },
    /// Print the keys of an archive, for `ambo platform install --restore`
    #[command(hide = true)]
    Keys {
        #[command(flatten)]
        archive: ArchiveArgs,
    },
    /// Make an identity that opens backups, and print it with its recipient
    Identity,
}

/// An archive, and what opens it.
#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    /// A file, - for standard input, or a bucket's URL, of the archive or for the newest
    #[arg(value_name = "FILE|URL")]
    pub(crate) archive: String,
    /// File with the identity that opens it (AGE-SECRET-KEY-1…)
    #[arg(long, value_name = "FILE")]
    pub(crate) identity_file: Option<PathBuf>,
}
