//! Repository names, tags and references.

use std::fmt;

use ambo_model::AppName;

use crate::digest::Digest;

/// Longest repository name, in characters (distribution specification, "Pulling manifests", as clients enforce it).
pub const REPOSITORY_NAME_CHARS_MAX: usize = 255;
/// Longest tag, in characters.
pub const TAG_CHARS_MAX: usize = 128;

/// A repository as clients name it: `<app>` or `<app>/<more>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(String);

/// The text is no repository name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no repository name: use lower-case letters and digits, joined by `.`, `_`, `-` or `/`")]
pub struct RepositoryNameError(String);

impl RepositoryName {
    /// Parses a name by the specification's rule.
    ///
    /// # Errors
    /// When it breaks the rule.
    pub fn parse(text: &str) -> Result<Self, RepositoryNameError> {
        let ok = text.len() <= REPOSITORY_NAME_CHARS_MAX && text.split('/').all(component_ok);
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(RepositoryNameError(text.chars().filter(|c| !c.is_control()).take(100).collect()))
        }
    }

    /// The app that the name's first component names; `None` when no app can have that name.
    #[must_use]
    pub fn app(&self) -> Option<AppName> {
        AppName::parse(self.0.split('/').next().unwrap_or_default()).ok()
    }

    /// What follows the app's name; empty for the app's own repository.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn component_ok(component: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut separator = String::new();
    for c in component.chars() {
        if word(c) {
            let joined = matches!(separator.as_str(), "" | "." | "_" | "__") || separator.chars().all(|s| s == '-');
            if !joined {
                return false;
            }
            separator.clear();
        } else if matches!(c, '.' | '_' | '-') {
            separator.push(c);
        } else {
            return false;
        }
    }
    component.starts_with(word) && separator.is_empty()
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Parses a tag; `None` when the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ok = (1..=TAG_CHARS_MAX).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        ok.then(|| Self(text.to_owned()))
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a manifest is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// By its content.
    Digest(Digest),
    /// By a name that may move.
    Tag(Tag),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Tag(tag) => tag.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_follow_the_specification() {
        for good in ["myapp", "my-app", "myapp/cache", "a.b_c__d---e/f0/1"] {
            assert!(RepositoryName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a.-b", "-a", "a-", "_a", "a/../b", "a b"] {
            assert!(RepositoryName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_component_names_the_app() {
        let name = RepositoryName::parse("myapp/cache/base").unwrap();
        assert_eq!((name.app().unwrap().as_str(), name.path()), ("myapp", "cache/base"));
        assert_eq!(RepositoryName::parse("myapp").unwrap().path(), "");
        assert!(RepositoryName::parse("0a").unwrap().app().is_none());
    }

    #[test]
    fn tags_cannot_climb_out_of_their_directory() {
        for good in ["latest", "v1.0", "_x", "A-b.c_d"] {
            assert!(Tag::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "a:b", "a#1", &"a".repeat(129)] {
            assert!(Tag::parse(bad).is_none(), "{bad}");
        }
    }
}
