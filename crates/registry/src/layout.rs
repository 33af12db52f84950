//! Where each thing lies in the store.
//!
//! ```text
//! blobs/<algorithm>/<2 hex>/<hex>                                      content, of blobs and manifests alike
//! apps/<app id>/<path…>/_blobs/<algorithm>/<hex>                       this repository has that blob: its size
//! apps/<app id>/<path…>/_manifests/<algorithm>/<hex>                   this repository has that manifest: media type, size
//! apps/<app id>/<path…>/_tags/<tag>                                    the digest it stands for
//! apps/<app id>/<path…>/_referrers/<algorithm>/<hex>/<algorithm>-<hex> who refers to that subject: a descriptor
//! ```
//!
//! No component of a repository's name starts with `_`, so no name collides with what lies in a repository.

use ambo_model::AppId;
use serde::{Deserialize, Serialize};

use crate::digest::{Algorithm, Digest};
use crate::name::Tag;

pub(crate) const BLOBS: &str = "blobs";
pub(crate) const APPS: &str = "apps";

/// A repository, by what never changes: its app's id, and the path below the app's name (empty for the app's own).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Repository {
    /// Whose it is.
    pub app: AppId,
    /// The path below the app's name.
    pub path: String,
}

pub(crate) fn app(app: AppId) -> String {
    format!("{APPS}/{app}")
}

pub(crate) fn content(digest: &Digest) -> String {
    format!("{BLOBS}/{}/{}/{}", digest.algorithm().as_str(), &digest.hex()[..2], digest.hex())
}

impl Repository {
    pub(crate) fn prefix(&self) -> String {
        let slash = if self.path.is_empty() { "" } else { "/" };
        format!("{APPS}/{}{slash}{}", self.app, self.path)
    }

    pub(crate) fn blob(&self, digest: &Digest) -> String {
        format!("{}/_blobs/{}/{}", self.prefix(), digest.algorithm().as_str(), digest.hex())
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> String {
        format!("{}/_manifests/{}/{}", self.prefix(), digest.algorithm().as_str(), digest.hex())
    }

    pub(crate) fn tags(&self) -> String {
        format!("{}/_tags", self.prefix())
    }

    pub(crate) fn tag(&self, tag: &Tag) -> String {
        format!("{}/{tag}", self.tags())
    }

    pub(crate) fn referrers(&self, subject: &Digest) -> String {
        format!("{}/_referrers/{}/{}", self.prefix(), subject.algorithm().as_str(), subject.hex())
    }

    pub(crate) fn referrer(&self, subject: &Digest, digest: &Digest) -> String {
        format!("{}/{}-{}", self.referrers(subject), digest.algorithm().as_str(), digest.hex())
    }
}

/// What lies in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Blob(Digest),
    Manifest(Digest),
    Tag(Tag),
    Referrer { subject: Digest, digest: Digest },
}

fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    Digest::parse(&format!("{}:{hex}", Algorithm::parse(algorithm)?.as_str())).ok()
}

/// What a key under [`APPS`] means; `None` for a file that is none of ours.
pub(crate) fn item(key: &str) -> Option<(Repository, Item)> {
    let mut parts = key.split('/');
    if parts.next() != Some(APPS) {
        return None;
    }
    let app: AppId = parts.next()?.parse().ok()?;
    let rest: Vec<&str> = parts.collect();
    let kind = rest.iter().position(|part| part.starts_with('_'))?;
    let repository = Repository { app, path: rest[..kind].join("/") };
    let item = match &rest[kind..] {
        ["_blobs", algorithm, hex] => Item::Blob(digest(algorithm, hex)?),
        ["_manifests", algorithm, hex] => Item::Manifest(digest(algorithm, hex)?),
        ["_tags", tag] => Item::Tag(Tag::parse(tag)?),
        ["_referrers", algorithm, hex, referrer] => {
            let (by, name) = referrer.split_once('-')?;
            Item::Referrer { subject: digest(algorithm, hex)?, digest: digest(by, name)? }
        }
        _ => return None,
    };
    Some((repository, item))
}

/// The digest that a key under [`BLOBS`] stands for.
pub(crate) fn content_digest(key: &str) -> Option<Digest> {
    let parts: Vec<&str> = key.split('/').collect();
    match parts.as_slice() {
        [BLOBS, algorithm, _, hex] => digest(algorithm, hex),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reads_back_as_what_it_was_made_for() {
        let (a, b) = (Digest::of(Algorithm::Sha256, b"a"), Digest::of(Algorithm::Sha512, b"b"));
        for path in ["", "cache", "a/b"] {
            let repository = Repository { app: AppId::new(), path: path.to_owned() };
            let tag = Tag::parse("_odd.tag").unwrap();
            for (key, expected) in [
                (repository.blob(&a), Item::Blob(a.clone())),
                (repository.manifest(&b), Item::Manifest(b.clone())),
                (repository.tag(&tag), Item::Tag(tag.clone())),
                (repository.referrer(&a, &b), Item::Referrer { subject: a.clone(), digest: b.clone() }),
            ] {
                assert_eq!(item(&key), Some((repository.clone(), expected)), "{key}");
            }
        }
        assert_eq!(content_digest(&content(&b)), Some(b));
        assert_eq!(item("apps/not-an-id/_tags/x"), None);
    }
}
