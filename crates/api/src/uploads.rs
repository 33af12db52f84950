//! What lies in the directory of uploads, and when it goes.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::build_outputs::BuildOutputs;
use crate::sources::{Sources, remove_older};

/// An upload goes with the request that made it. One of this age was left by a process that was killed.
const UPLOAD_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes sources and outputs of builds that are too old, and uploads that a killed process left. Idempotent.
///
/// # Errors
/// When the directory cannot be read, or a file in it cannot be removed.
pub fn uploads_expire(directory: &Path, now: SystemTime) -> io::Result<()> {
    Sources::new(directory).expire(now)?;
    BuildOutputs::expire(directory, now)?;
    remove_older(directory, "upload-", UPLOAD_AGE_MAX, now)
}
