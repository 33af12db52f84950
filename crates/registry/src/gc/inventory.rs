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
        let mut links = self.store.list(layout::APPS);
        while let Some(stat) = links.try_next().await? {
            let Some((repository, item)) = layout::item(&stat.key) else { continue };
            self.inventory_add(&mut inventory, repository, item, stat.modified).await?;
        }
        Ok(inventory)
    }

    async fn inventory_add(
        &self,
        inventory: &mut Inventory,
        repository: Repository,
        item: Item,
        modified: Timestamp,
    ) -> Result<(), Error> {
        let holdings = inventory.repositories.entry(repository.clone()).or_default();
        match item {
            Item::Blob(digest) => {
                holdings.blobs.insert(digest, modified);
            }
            Item::Referrer { subject, digest } => {
                holdings.referrers.insert((subject, digest), modified);
            }
            Item::Tag(tag) => {
                let target = self.store.get(&repository.tag(&tag)).await?.and_then(|content| parse_target(&content));
                holdings.tags.insert(tag, TagEntry { modified, target });
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
                holdings.manifests.insert(digest, entry);
            }
        }
        Ok(())
    }
}
