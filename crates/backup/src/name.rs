//! Names of archives: whose they are, and of when.

use std::fmt;
use std::str::FromStr;

use ambo_model::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How many characters of a platform's id a name has.
const PLATFORM_CHARS: usize = 8;
const PREFIX: &str = "ambo-";
const SUFFIX: &str = ".ambo";
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// `ambo-<8 characters of the platform's id>-20261123T150000Z.ambo`. In the order of their times for one platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveName {
    platform: String,
    made_at: Timestamp,
}

/// Not the name of an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no archive's name: expected `ambo-0a1b2c3d-20261123T150000Z.ambo`")]
pub struct ArchiveNameError(String);

impl ArchiveName {
    /// The name of an archive of that platform, made then. Of the id the first letters and digits count.
    #[must_use]
    pub fn new(platform_id: &str, made_at: Timestamp) -> Self {
        let known = platform_id.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
        let platform: String = known.chain(std::iter::repeat('0')).take(PLATFORM_CHARS).collect();
        let made_at = Timestamp::from_second(made_at.as_second()).unwrap_or(made_at);
        Self { platform, made_at }
    }

    /// When the backup began, to the second.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// The beginning of the platform's id.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.platform
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.made_at.to_zoned(TimeZone::UTC).strftime(TIME);
        write!(f, "{PREFIX}{}-{time}{SUFFIX}", self.platform)
    }
}

impl FromStr for ArchiveName {
    type Err = ArchiveNameError;
    fn from_str(text: &str) -> Result<Self, ArchiveNameError> {
        let parsed = || {
            let (platform, time) = text.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
            let made_at = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
            Some(Self::new(platform, made_at)).filter(|name| name.to_string() == text)
        };
        parsed().ok_or_else(|| ArchiveNameError(text.chars().filter(|c| !c.is_control()).take(100).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_what_it_was_made_of() {
        let made_at: Timestamp = "2026-11-23T15:00:00.5Z".parse().unwrap();
        let name = ArchiveName::new("0A1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d", made_at);
        assert_eq!(name.to_string(), "ambo-0a1b2c3d-20261123T150000Z.ambo");
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!(ArchiveName::new("x", made_at).to_string(), "ambo-x0000000-20261123T150000Z.ambo");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "ambo-0a1b2c3d-20261123T150000Z",
            "ambo-0a1b2c3d-20261323T150000Z.ambo",
            "ambo-0a1b2c3d-2026-11-23.ambo",
            "ambo-0A1B2C3D-20261123T150000Z.ambo",
            "ambo-0a1b2c3d4-20261123T150000Z.ambo",
            "../ambo-0a1b2c3d-20261123T150000Z.ambo",
        ] {
            assert!(text.parse::<ArchiveName>().is_err(), "{text}");
        }
    }
}
