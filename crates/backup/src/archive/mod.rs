//! The archive: one encrypted stream of entries.

mod frame;
mod parse;
mod read;
mod write;

use std::fmt;

use ambo_model::Timestamp;
use serde::{Deserialize, Serialize};

pub use read::ReadError;
pub(crate) use read::{ArchiveReader, Event};
pub use write::ArchiveStream;
pub(crate) use write::{ArchiveClosed, ArchiveWriter};

/// What an archive begins with, once it is opened.
pub(crate) const MAGIC: [u8; 12] = *b"AMBO-BACKUP\n";
/// The version of the format.
pub(crate) const VERSION: u16 = 1;
/// Longest header, in bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Longest name of an entry, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 4096;
/// Largest piece of an entry's content, in bytes.
pub(crate) const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// What an archive is of. It is in the archive, and so as secret as the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The platform's id.
    pub platform: String,
    /// When the backup began.
    pub made_at: Timestamp,
    /// The program that made it, with its version.
    pub made_by: String,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A named key of the platform.
    Key,
    /// A key of the state with its value.
    State,
    /// The same, of a key that is in the archive already: the later one counts.
    StateChanged,
    /// A key of the state is gone that is in the archive already.
    StateRemoved,
    /// The images that must be there, as JSON.
    Images,
    /// An object of the registry.
    Object,
    /// An app's repository.
    Repository,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Key, Self::State, Self::StateChanged, Self::StateRemoved, Self::Images, Self::Object, Self::Repository];

    fn code(self) -> u8 {
        match self {
            Self::Key => 1,
            Self::State => 2,
            Self::StateChanged => 3,
            Self::StateRemoved => 4,
            Self::Images => 5,
            Self::Object => 6,
            Self::Repository => 7,
        }
    }

    fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::State => "state",
            Self::StateChanged => "changed state",
            Self::StateRemoved => "removed state",
            Self::Images => "images",
            Self::Object => "object",
            Self::Repository => "repository",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.code()), Some(kind));
        }
        assert_eq!((Kind::of(0), Kind::of(8)), (None, None));
    }
}
