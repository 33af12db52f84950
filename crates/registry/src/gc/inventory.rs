//! What there is: read once, so that the plan is made from a value.

use std::collections::BTreeMap;

use ambo_model::Timestamp;
use futures::TryStreamExt;

use crate::contents::Contents;
use crate::digest::Digest;
use crate::error::Error;
use crate::layout::{self, Item, Repository};
use crate::manifest::Manifest;
use crate::name::Tag;
use crate::tag::parse_target;

/// Tags and manifests that are read at a time: a far store takes its time for each.
const READS_AT_A_TIME: usize = 16;

/// Everything in the registry, with its age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    pub(super) repositories: BTreeMap<Repository, Holdings>,
    pub(super) contents: BTreeMap<Digest, ContentEntry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    pub(super) tags: BTreeMap<Tag, TagEntry>,
    pub(super) manifests: BTreeMap<Digest, ManifestEntry>,
    pub(super) blobs: BTreeMap<Digest, Timestamp>,
    /// By subject and referrer.
    pub(super) referrers: BTreeMap<(Digest, Digest), Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TagEntry {
    pub(super) modified: Timestamp,
    pub(super) target: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ManifestEntry {
    pub(super) modified: Timestamp,
    /// Blobs and manifests that it needs.
    pub(super) needs: Vec<Digest>,
    pub(super) subject: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContentEntry {
    pub(super) modified: Timestamp,
    pub(super) size: u64,
}

impl Contents {
    /// Looks through everything. Content first: what is linked later is found among the links.
    pub(crate) async fn inventory(&self) -> Result<Inventory, Error> {
        let mut inventory = Inventory::default();
        let mut contents = self.store.list(layout::BLOBS);
        while let Some(stat) = contents.try_next().await? {
            if let Some(digest) = layout::content_digest(&stat.key) {
                inventory.contents.insert(digest, ContentEntry { modified: stat.modified, size: stat.size });
            }
        }
        let links = self.store.list(layout::APPS).map_err(Error::from).try_filter_map(|stat| {
            std::future::ready(Ok(layout::item(&stat.key).map(|(repository, item)| (repository, item, stat.modified))))
        });
        let observed = links.map_ok(|(repository, item, modified)| async move {
            let observed = self.item_observe(&repository, item, modified).await?;
            Ok((repository, observed))
        });
        let mut observed = std::pin::pin!(observed.try_buffer_unordered(READS_AT_A_TIME));
        while let Some((repository, observed)) = observed.try_next().await? {
            inventory.repositories.entry(repository).or_default().add(observed);
        }
        Ok(inventory)
    }

    /// Reads what an item's key does not say.
    async fn item_observe(&self, repository: &Repository, item: Item, modified: Timestamp) -> Result<Observed, Error> {
        Ok(match item {
            Item::Blob(digest) => Observed::Blob(digest, modified),
            Item::Referrer { subject, digest } => Observed::Referrer(subject, digest, modified),
            Item::Tag(tag) => {
                let target = self.store.get(&repository.tag(&tag)).await?.and_then(|content| parse_target(&content));
                Observed::Tag(tag, TagEntry { modified, target })
            }
            Item::Manifest(digest) => {
                let body = self.store.get(&layout::content(&digest)).await?;
                // One whose content is gone or damaged needs nothing that could be kept for it.
                let manifest = body.and_then(|body| Manifest::parse(None, &body).ok());
                let entry = match manifest {
                    Some(manifest) => ManifestEntry {
                        modified,
                        needs: manifest.blobs.into_iter().chain(manifest.manifests).map(|to| to.digest).collect(),
                        subject: manifest.subject,
                    },
                    None => ManifestEntry { modified, needs: Vec::new(), subject: None },
                };
                Observed::Manifest(digest, entry)
            }
        })
    }
}

/// An item with what was read of it.
enum Observed {
    Blob(Digest, Timestamp),
    /// Subject, then who refers to it.
    Referrer(Digest, Digest, Timestamp),
    Tag(Tag, TagEntry),
    Manifest(Digest, ManifestEntry),
}

impl Holdings {
    fn add(&mut self, observed: Observed) {
        match observed {
            Observed::Blob(digest, modified) => drop(self.blobs.insert(digest, modified)),
            Observed::Referrer(subject, digest, modified) => drop(self.referrers.insert((subject, digest), modified)),
            Observed::Tag(tag, entry) => drop(self.tags.insert(tag, entry)),
            Observed::Manifest(digest, entry) => drop(self.manifests.insert(digest, entry)),
        }
    }
}
