//! Source: an archive that nobody vouches for, unpacked into a directory of ours.

mod context;
mod ignore;
mod peek;
mod tree;
mod unpack;

pub(crate) use context::context_write;
pub use ignore::Ignore;
pub use peek::file_peek;
pub use tree::{Entry, EntryKind, SourceTree};
pub(crate) use unpack::disk;
pub use unpack::{ARCHIVE_ENTRIES_MAX, Cancelled, unpack};
