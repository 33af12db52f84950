//! Tags: names in a repository that point at manifests and may move.

use bytes::Bytes;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::contents::Contents;
use crate::digest::Digest;
use crate::error::Error;
use crate::layout::Repository;
use crate::name::Tag;

impl Contents {
    pub(crate) async fn tag_put(&self, repository: &Repository, tag: &Tag, digest: &Digest) -> Result<(), Error> {
        let _alone = self.tagging.lock().await;
        let key = repository.tag(tag);
        let (_, seen) = self.store.look(&key).await?;
        let content = format!("{digest}\n{}", Uuid::new_v4().simple());
        match self.store.replace(&key, &seen, Bytes::from(content)).await? {
            true => Ok(()),
            false => Err(Error::TagMoved(tag.clone())),
        }
    }

    pub(crate) async fn tag_resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>, Error> {
        let content = self.store.get(&repository.tag(tag)).await?;
        Ok(content.and_then(|content| parse_target(&content)))
    }

    /// `false`: there was no such tag.
    pub(crate) async fn tag_remove(&self, repository: &Repository, tag: &Tag) -> Result<bool, Error> {
        Ok(self.store.delete(&repository.tag(tag)).await?)
    }

    /// All tags in the order of their bytes.
    pub(crate) async fn tag_list(&self, repository: &Repository) -> Result<Vec<Tag>, Error> {
        let prefix = repository.tags();
        let keys = self.store.list(&prefix).map_ok(|stat| stat.key);
        let keys: Vec<String> = keys.try_collect().await?;
        let names = keys.iter().filter_map(|key| key.strip_prefix(&prefix)?.strip_prefix('/'));
        let mut tags: Vec<Tag> = names.filter_map(Tag::parse).collect();
        tags.sort();
        Ok(tags)
    }

    /// The tags that point at a manifest.
    pub(crate) async fn tag_list_of(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Tag>, Error> {
        let mut pointing = Vec::new();
        for tag in self.tag_list(repository).await? {
            if self.tag_resolve(repository, &tag).await?.as_ref() == Some(digest) {
                pointing.push(tag);
            }
        }
        Ok(pointing)
    }
}

/// What a tag's object says it stands for. A second line is like no other, so that no two contents of a tag are equal.
pub(crate) fn parse_target(content: &[u8]) -> Option<Digest> {
    Digest::parse(std::str::from_utf8(content).ok()?.lines().next()?).ok()
}
