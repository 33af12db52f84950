//! Takes a running platform, gives one archive of it; takes an archive and an empty platform, gives the platform back.
//!
//! An archive holds the state as it was at one moment, every image and repository that this state names, and the keys that
//! it is sealed with. It is a single encrypted stream, written where it comes from and read where it goes to, so nothing of
//! it lies on a local disk. It knows no backends: what was on one machine can be restored to a cluster, and the other way
//! round.
//!
//! # How it is whole, while the platform works on
//! Nothing is removed from the registry and the repositories while a backup runs ([`Hold`]). Then the state is read, all of
//! it at one revision (`snapshot.rs`), and everything else after that: whatever the state names was there before it and still
//! is. What came later is in the archive too, and nothing names it. Whether each image that releases need is whole is
//! looked at while it is written, and again by whoever reads it.
//!
//! # When things fail
//! A backup that fails leaves no archive. An archive that was cut off or changed anywhere is found out by whoever reads it,
//! with the entry at which it ends being what was written. A restore that is interrupted leaves a mark in the state's
//! store: no platform starts on it, and the same restore can be begun again.
//!
//! What is absent here: when to run, and any secret's place. [`Schedule`] and [`Retention`] only say what is due.

mod archive;
mod archives;
mod backup;
mod findings;
mod git_directory;
mod hold;
mod keys;
mod lock;
mod name;
mod objects;
mod peek;
mod repositories;
mod restore;
mod retention;
mod schedule;
mod snapshot;
mod verify;

pub use archive::{ArchiveStream, Header, ReadError};
pub use archives::{ArchiveListed, Archives, ArchivesError};
pub use backup::{Backup, BackupError, Sources};
pub use findings::{Contents, Findings, MissingImage};
pub use git_directory::GitDirectory;
pub use hold::{Failure, Held, Hold, ImagesNeeded, Stopped};
pub use keys::{KeyFiles, Keys, KeysError};
pub use lock::{Lock, LockError, PASSPHRASE_CHARS_MIN, Recipient, Unlock, identity_generate};
pub use name::{ArchiveName, ArchiveNameError};
pub use peek::{NamedKeys, keys_peek};
pub use repositories::{Repositories, RepositoryError, RepositoryStream};
pub use restore::{RestoreError, Restored, Targets, restore};
pub use retention::{Retention, RetentionError};
pub use schedule::{Schedule, ScheduleError};
pub use verify::verify;
