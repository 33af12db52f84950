//! `/ambo/backups`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::Secret;

/// `POST /ambo/backups` and `POST /ambo/backups/download`: where an archive goes, and who can open it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupCreate {
    /// The bucket that the archive is put in: `s3://bucket/prefix`, `azure://container` or `gs://bucket`. The platform's
    /// setting `backup-to` when not given. Of no effect on a download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whose identities open it: `age1…`. The platform's setting when neither these nor a passphrase are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// Whoever knows it opens the archive; not together with recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Secret>,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupStatus {
    /// It is being made.
    Pending,
    /// The archive is there.
    Succeeded,
    /// There is none.
    Failed,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// Its id, known until the platform restarts.
    pub id: Uuid,
    /// How far it is.
    pub status: BackupStatus,
    /// When it began.
    pub created_at: Timestamp,
    /// Where the archive goes.
    pub to: String,
    /// The archive, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<BackupArchive>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What is in it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
    /// What was not whole in the platform already, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Why there is no archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// An archive that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupArchive {
    /// Its name where it is kept.
    pub name: String,
    /// Its size, in bytes.
    pub size: u64,
    /// When its backup began.
    pub created_at: Timestamp,
}
