//! What a path means. Read from its end, since a repository's name may hold any of the words.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::digest::Digest;
use crate::error::Error;
use crate::name::{Reference, RepositoryName, Tag};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Base,
    Token,
    Blob(RepositoryName, Digest),
    Uploads(RepositoryName),
    /// `None`: no id of ours, so no such upload.
    Upload(RepositoryName, Option<Uuid>),
    Manifest(RepositoryName, Reference),
    Tags(RepositoryName),
    Referrers(RepositoryName, Digest),
}

impl Route {
    pub(super) fn parse(path: &str) -> Result<Self, Error> {
        let path = percent_decode_str(path).decode_utf8().map_err(|_| Error::PathUnknown)?;
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some("/token") => return Ok(Self::Token),
            Some(rest) => rest.strip_prefix('/').ok_or(Error::PathUnknown)?,
            None => return Err(Error::PathUnknown),
        };
        if let Some(name) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
            return Ok(Self::Uploads(RepositoryName::parse(name)?));
        }
        let (head, last) = rest.rsplit_once('/').ok_or(Error::PathUnknown)?;
        if let Some(name) = head.strip_suffix("/blobs/uploads") {
            return Ok(Self::Upload(RepositoryName::parse(name)?, Uuid::parse_str(last).ok()));
        }
        let (name, noun) = head.rsplit_once('/').ok_or(Error::PathUnknown)?;
        match (noun, last) {
            ("blobs", digest) => Ok(Self::Blob(RepositoryName::parse(name)?, Digest::parse(digest)?)),
            ("manifests", reference) => Ok(Self::Manifest(RepositoryName::parse(name)?, parse_reference(reference)?)),
            ("tags", "list") => Ok(Self::Tags(RepositoryName::parse(name)?)),
            ("referrers", digest) => Ok(Self::Referrers(RepositoryName::parse(name)?, Digest::parse(digest)?)),
            _ => Err(Error::PathUnknown),
        }
    }
}

fn parse_reference(text: &str) -> Result<Reference, Error> {
    if text.contains(':') {
        return Ok(Reference::Digest(Digest::parse(text)?));
    }
    let shown = || text.chars().filter(|c| !c.is_control()).take(140).collect();
    Tag::parse(text).map(Reference::Tag).ok_or_else(|| Error::ReferenceInvalid(shown()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;
    use proptest::prelude::*;

    #[test]
    fn names_may_hold_the_endpoints_own_words() {
        let name = |text| RepositoryName::parse(text).unwrap();
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let cases = [
            ("/v2/".to_owned(), Route::Base),
            ("/v2/token".to_owned(), Route::Token),
            (format!("/v2/app/blobs/{digest}"), Route::Blob(name("app"), digest.clone())),
            (format!("/v2/app/blobs/sha256%3A{}", digest.hex()), Route::Blob(name("app"), digest.clone())),
            ("/v2/blobs/uploads/blobs/uploads/".to_owned(), Route::Uploads(name("blobs/uploads"))),
            ("/v2/a/tags/list/tags/list".to_owned(), Route::Tags(name("a/tags/list"))),
            ("/v2/a/manifests/v1".to_owned(), Route::Manifest(name("a"), Reference::Tag(Tag::parse("v1").unwrap()))),
            (format!("/v2/a/b/referrers/{digest}"), Route::Referrers(name("a/b"), digest.clone())),
            ("/v2/a/blobs/uploads/nonsense".to_owned(), Route::Upload(name("a"), None)),
        ];
        for (path, expected) in cases {
            assert_eq!(Route::parse(&path).unwrap(), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic_or_lets_dots_through(path in "/v2/[a-z./%0-9A-F:]{0,60}") {
            if let Ok(Route::Blob(name, _) | Route::Manifest(name, _) | Route::Tags(name)) = Route::parse(&path) {
                prop_assert!(!name.as_str().contains(".."));
            }
        }
    }
}
