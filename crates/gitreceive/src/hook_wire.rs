//! What the hook and the server say to each other: one line of JSON up, then lines of text down.

use serde::{Deserialize, Serialize};

/// Names the socket in the hook's environment.
pub(crate) const SOCKET_VARIABLE: &str = "AMBO_HOOK_SOCKET";
/// Carries the push's secret in the hook's environment.
pub(crate) const SECRET_VARIABLE: &str = "AMBO_HOOK_SECRET";

/// Most refs that the hook sends; more are only counted. One is what deploys.
pub(crate) const UPDATES_MAX: usize = 16;
/// Longest ref line that the hook sends; longer ones are cut, which makes them no branch that deploys.
pub(crate) const UPDATE_BYTES_MAX: usize = 1024;
/// Longest call in bytes.
pub(crate) const CALL_BYTES_MAX: u64 = 256 << 10;
/// Longest line of output in bytes; longer ones are split.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 10;

/// Starts a line for the user.
pub(crate) const MARK_LINE: u8 = b'L';
/// Starts the line with the exit code, the last one.
pub(crate) const MARK_EXIT: u8 = b'X';

/// The hook's call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HookCall {
    /// Tells which push calls.
    pub(crate) secret: String,
    /// The first [`UPDATES_MAX`] lines that git gave: `<old> <new> <ref>`.
    pub(crate) updates: Vec<String>,
    /// How many lines git gave.
    pub(crate) update_count: usize,
    /// `GIT_OBJECT_DIRECTORY`: where the pushed objects are in quarantine.
    pub(crate) object_directory: Option<String>,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`: where the older objects are.
    pub(crate) alternate_directories: Option<String>,
    /// `GIT_QUARANTINE_PATH`.
    pub(crate) quarantine: Option<String>,
}
