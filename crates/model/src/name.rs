//! Names that users choose. Parsed once, at the edge; a value of these types is valid.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest app name, in characters. Leaves room in a DNS label for what previews append.
pub const APP_NAME_CHARS_MAX: usize = 40;
/// Longest process type, in characters.
pub const PROCESS_TYPE_CHARS_MAX: usize = 40;
/// Longest hostname, in characters (RFC 1035, section 2.3.4).
pub const HOSTNAME_CHARS_MAX: usize = 253;
/// Longest e-mail address, in characters (RFC 5321, section 4.5.3.1).
pub const EMAIL_CHARS_MAX: usize = 254;

/// App names that would collide with the platform's own hosts.
pub const RESERVED_APP_NAMES: [&str; 8] = ["ambo", "api", "git", "registry", "ssh", "router", "www", "localhost"];

/// Why a name was refused. Reads as the second half of a sentence about the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The app name breaks Heroku's rule for names.
    #[error(
        "`{0}` is no app name: use 2 to 40 lowercase letters, digits and dashes, starting with a letter and not ending with a dash"
    )]
    App(String),
    /// The app name belongs to the platform.
    #[error("`{0}` is reserved for the platform: choose another name")]
    AppReserved(String),
    /// The process type holds other characters than Heroku allows.
    #[error("`{0}` is no process type: use 1 to 40 letters, digits, dashes and underscores, as in a Procfile")]
    ProcessType(String),
    /// The hostname breaks RFC 1123.
    #[error(
        "`{0}` is no domain name: use labels of 1 to 63 letters, digits and dashes joined by dots, as in `www.example.com` or `*.example.com`"
    )]
    Hostname(String),
    /// The hostname is an IP address.
    #[error("`{0}` is an IP address: a domain is a name")]
    HostnameIsAddress(String),
    /// The text is no e-mail address.
    #[error("`{0}` is no e-mail address")]
    Email(String),
}

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

/// The name of an app; also its first DNS label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

impl AppName {
    /// Parses a name.
    ///
    /// # Errors
    /// When the name breaks the rule for app names or is reserved for the platform.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let shape_ok = (2..=APP_NAME_CHARS_MAX).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !shape_ok {
            return Err(NameError::App(shown(text)));
        }
        if RESERVED_APP_NAMES.contains(&text) {
            return Err(NameError::AppReserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}
name!(AppName);

/// A Procfile entry's name, such as `web`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProcessType(String);

impl ProcessType {
    /// Parses a process type.
    ///
    /// # Errors
    /// When the text holds anything but letters, digits, dashes and underscores, or is too long.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let ok = (1..=PROCESS_TYPE_CHARS_MAX).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if ok { Ok(Self(text.to_owned())) } else { Err(NameError::ProcessType(shown(text))) }
    }

    /// The routed process.
    #[must_use]
    pub fn web() -> Self {
        Self("web".to_owned())
    }

    /// The release phase's entry: run once before a rollout, never scaled.
    #[must_use]
    pub fn release() -> Self {
        Self("release".to_owned())
    }

    /// One-off runs.
    #[must_use]
    pub fn run() -> Self {
        Self("run".to_owned())
    }

    /// Whether the router sends requests to it.
    #[must_use]
    pub fn is_web(&self) -> bool {
        self.0 == "web"
    }

    /// Whether it is the release phase's entry.
    #[must_use]
    pub fn is_release(&self) -> bool {
        self.0 == "release"
    }
}
name!(ProcessType);

/// A domain name, lower-case, without a trailing dot. May start with `*.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(String);

impl Hostname {
    /// Parses a name; upper case is folded and one trailing dot dropped.
    ///
    /// # Errors
    /// When the name breaks RFC 1123 or is an IP address.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.parse::<std::net::IpAddr>().is_ok() {
            return Err(NameError::HostnameIsAddress(name));
        }
        let labels = name.strip_prefix("*.").unwrap_or(&name);
        let ok = !labels.is_empty()
            && name.len() <= HOSTNAME_CHARS_MAX
            && labels.split('.').all(label_ok)
            && !labels.rsplit('.').next().is_some_and(|top| top.bytes().all(|b| b.is_ascii_digit()));
        if ok { Ok(Self(name)) } else { Err(NameError::Hostname(shown(text))) }
    }

    /// Whether the name stands for every name one label below it.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether `self` is `zone` or a name below it.
    #[must_use]
    pub fn is_within(&self, zone: &Hostname) -> bool {
        self == zone || self.0.strip_suffix(zone.as_str()).is_some_and(|head| head.ends_with('.'))
    }
}
name!(Hostname);

fn label_ok(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// An account's e-mail address, lower-case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Parses an address. Only its shape is checked; whether mail arrives is not ours to say.
    ///
    /// # Errors
    /// When there is no single `@` between two non-empty parts, or the address holds spaces or control characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Email(shown(text));
        let (local, host) = text.split_once('@').ok_or_else(refused)?;
        let ok = !local.is_empty()
            && !host.is_empty()
            && text.len() <= EMAIL_CHARS_MAX
            && !host.contains('@')
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/' || c == ':');
        if ok { Ok(Self(text.to_ascii_lowercase())) } else { Err(refused()) }
    }
}
name!(Email);

/// A refused text as an error message shows it: cut, without control characters.
fn shown(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    if clean.len() < text.len() && text.chars().count() > 80 { format!("{clean}…") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn app_names_follow_herokus_rule() {
        for good in ["ab", "my-app", "a1", "photo-share-2"] {
            assert!(AppName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "-a", "a-", "1a", "My", "a_b", "a.b", "ä-b", "../x", &"a".repeat(41)] {
            assert!(AppName::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(AppName::parse("git"), Err(NameError::AppReserved("git".into())));
    }

    #[test]
    fn hostnames_fold_case_and_refuse_addresses() {
        assert_eq!(Hostname::parse("WWW.Example.com.").unwrap().as_str(), "www.example.com");
        assert!(Hostname::parse("*.example.com").unwrap().is_wildcard());
        for bad in ["", ".", "a..b", "-a.com", "a-.com", "a_b.com", "10.0.0.1", "x.1", "*", "*.*.com", "a b.com"] {
            assert!(Hostname::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_within_its_zone_but_not_within_a_name_that_merely_ends_alike() {
        let zone = Hostname::parse("example.com").unwrap();
        assert!(Hostname::parse("a.example.com").unwrap().is_within(&zone));
        assert!(zone.is_within(&zone));
        assert!(!Hostname::parse("badexample.com").unwrap().is_within(&zone));
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_and_parses_again(text in "\\PC{0,60}") {
            if let Ok(name) = AppName::parse(&text) { prop_assert_eq!(AppName::parse(name.as_str()), Ok(name)); }
            if let Ok(name) = Hostname::parse(&text) { prop_assert_eq!(Hostname::parse(name.as_str()), Ok(name)); }
            if let Ok(mail) = Email::parse(&text) { prop_assert_eq!(Email::parse(mail.as_str()), Ok(mail)); }
        }
    }
}
