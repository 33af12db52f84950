//! For whoever copies a registry as a whole, while it is in use: what each object is, and in which order they are copied
//! so that the copy holds whatever it names.

use ambo_model::AppId;

use crate::digest::Digest;
use crate::layout::{self, Item};
use crate::manifest::Manifest;

/// What an object of a registry's store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A tag of a repository, or a note of who refers to a manifest.
    Pointer,
    /// A repository of the app has the manifest.
    Manifest {
        /// Whose repository.
        app: AppId,
        /// Which manifest.
        digest: Digest,
    },
    /// A repository has a blob.
    Blob,
    /// Content, of blobs and manifests alike.
    Content(Digest),
}

/// A round of a copy. What an object names is there before the object is, and is copied by a later round, as long as nothing
/// is removed. So the copy holds all that was there when it began, and whatever that needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyRound {
    /// Tags and referrers: they name manifests.
    Pointers,
    /// Manifests of repositories: they name blobs of the same repository.
    Manifests,
    /// Blobs of repositories.
    Blobs,
    /// All content.
    Contents,
}

impl CopyRound {
    /// All rounds, in their order.
    pub const ORDER: [Self; 4] = [Self::Pointers, Self::Manifests, Self::Blobs, Self::Contents];

    /// What to list for a round; [`Object::of`] tells which of it belongs to the round.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Pointers | Self::Manifests | Self::Blobs => layout::APPS,
            Self::Contents => layout::BLOBS,
        }
    }
}

impl Object {
    /// What the object of that key is; `None` for one that is none of a registry's.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        if let Some(digest) = layout::content_digest(key) {
            // Only the key that it would be written to.
            return (layout::content(&digest) == key).then_some(Self::Content(digest));
        }
        let is_name = |part: &str| !matches!(part, "" | "." | "..");
        let (repository, item) = layout::item(key).filter(|_| key.split('/').all(is_name))?;
        Some(match item {
            Item::Tag(_) | Item::Referrer { .. } => Self::Pointer,
            Item::Manifest(digest) => Self::Manifest { app: repository.app, digest },
            Item::Blob(_) => Self::Blob,
        })
    }

    /// In which round it is copied.
    #[must_use]
    pub fn round(&self) -> CopyRound {
        match self {
            Self::Pointer => CopyRound::Pointers,
            Self::Manifest { .. } => CopyRound::Manifests,
            Self::Blob => CopyRound::Blobs,
            Self::Content(_) => CopyRound::Contents,
        }
    }
}

/// The contents that a manifest needs, blobs and manifests; `None` when it is none.
#[must_use]
pub fn manifest_needs(body: &[u8]) -> Option<Vec<Digest>> {
    let manifest = Manifest::parse(None, body).ok()?;
    Some(manifest.blobs.into_iter().chain(manifest.manifests).map(|to| to.digest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;
    use crate::layout::Repository;
    use crate::name::Tag;

    #[test]
    fn every_object_is_known_by_its_key_and_nothing_else_is() {
        let (a, b) = (Digest::of(Algorithm::Sha256, b"a"), Digest::of(Algorithm::Sha512, b"b"));
        let repository = Repository { app: AppId::new(), path: "cache".to_owned() };
        for (key, round) in [
            (repository.tag(&Tag::parse("v1").unwrap()), CopyRound::Pointers),
            (repository.referrer(&a, &b), CopyRound::Pointers),
            (repository.manifest(&b), CopyRound::Manifests),
            (repository.blob(&a), CopyRound::Blobs),
            (layout::content(&b), CopyRound::Contents),
        ] {
            assert_eq!(Object::of(&key).unwrap().round(), round, "{key}");
            assert!(key.starts_with(round.prefix()), "{key}");
        }
        let hex = a.hex();
        let outside = format!("apps/{}/../../x/_tags/v1", repository.app);
        for odd in [format!("blobs/sha256/zz/{hex}"), outside, "touched/blobs".into(), String::new()] {
            assert_eq!(Object::of(&odd), None, "{odd}");
        }
    }
}
