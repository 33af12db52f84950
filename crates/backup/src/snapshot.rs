//! All of the state as it was at one revision, although a store gives pages that were read one after the other.
//!
//! Pages go into the archive as they are read. Meanwhile a watch collects what changes after the first of them, and stops at
//! a mark, which is a write of ours: what it told by then, laid over the pages, is the state at the mark's revision. Keys that
//! go with a lease are left out.
//!
//! Where nothing has changed there is no mark, so a store whose disk is full can be backed up as well.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};

use ambo_store::{Entry, Event, Listing, Page, Revision, Store, StoreError, Transaction, Watch};
use bytes::Bytes;
use futures::StreamExt;
use uuid::Uuid;

use crate::archive::{ArchiveWriter, Kind};
use crate::backup::BackupError;

/// The key of marks. It is not in the archive.
const MARK: &str = "store/backup";

/// Writes the state, and gives the revision that it is of.
pub(crate) async fn state_write(store: &dyn Store, writer: &mut ArchiveWriter) -> Result<Revision, BackupError> {
    let first = store.list("", Page::default()).await?;
    let mut changes = Changes::since(store, first.revision).await?;
    let pages = tokio::select! {
        pages = pages_write(store, first, writer) => pages?,
        ended = changes.collect() => return Err(ended.into()),
    };
    if store.list("", Page { limit: Some(1), ..Page::default() }).await?.revision == pages.first {
        return Ok(pages.first);
    }
    let settled = changes.settle().await;
    let removed = store.commit(Transaction::new().delete(MARK)).await;
    let revision = settled?;
    if let Err(error) = removed {
        tracing::warn!(%error, key = MARK, "the mark of a backup stays in the state, where it does no harm");
    }
    changes.write(&pages, writer).await?;
    Ok(revision)
}

/// What of a page belongs to the state.
fn carried(listing: &Listing) -> impl Iterator<Item = &Entry> {
    listing.entries.iter().filter(|entry| entry.key != MARK && !entry.is_leased)
}

fn hashed(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The pages that are in the archive.
#[derive(Debug, Default)]
struct Pages {
    /// At which revision the first was read.
    first: Revision,
    /// The last key of each, and at which revision it was read.
    ends: Vec<(String, Revision)>,
    /// Hashes of the keys that are in the archive. Should two be the same, a change is called by the wrong kind, which puts
    /// the counts of an archive off by one and nothing else.
    written: HashSet<u64>,
}

impl Pages {
    /// At which revision the page was read that has the key, or would.
    fn revision_of(&self, key: &str) -> Revision {
        let page = self.ends.partition_point(|(end, _)| end.as_str() < key);
        self.ends.get(page).or(self.ends.last()).map_or(self.first, |(_, revision)| *revision)
    }
}

async fn pages_write(store: &dyn Store, first: Listing, writer: &mut ArchiveWriter) -> Result<Pages, BackupError> {
    let mut pages = Pages { first: first.revision, ..Pages::default() };
    let mut page = first;
    loop {
        for entry in carried(&page) {
            pages.written.insert(hashed(&entry.key));
            writer.whole(Kind::State, &entry.key, entry.value.clone()).await?;
        }
        let after = page.entries.last().map(|entry| entry.key.clone());
        pages.ends.extend(after.clone().map(|end| (end, page.revision)));
        if !page.more {
            return Ok(pages);
        }
        page = store.list("", Page { after, ..Page::default() }).await?;
    }
}

/// What changed last of a key.
#[derive(Debug)]
struct Change {
    revision: Revision,
    /// `None`: it was removed, or goes with a lease now.
    value: Option<Bytes>,
}

/// What changes while pages are read.
struct Changes<'a> {
    store: &'a dyn Store,
    watch: Watch,
    latest: BTreeMap<String, Change>,
}

impl<'a> Changes<'a> {
    async fn since(store: &'a dyn Store, revision: Revision) -> Result<Self, StoreError> {
        let watch = store.watch("", revision.next()).await?;
        Ok(Self { store, watch, latest: BTreeMap::new() })
    }

    /// Collects until the watch ends, and says why it did. Cancel safe.
    async fn collect(&mut self) -> StoreError {
        loop {
            if let Err(error) = self.collect_one().await {
                return error;
            }
        }
    }

    async fn collect_one(&mut self) -> Result<(), StoreError> {
        let (key, change) = match self.watch.next().await {
            Some(Ok(Event::Put(Entry { key, value, modified, is_leased, .. }))) => {
                (key, Change { revision: modified, value: (!is_leased).then_some(value) })
            }
            Some(Ok(Event::Delete { key, revision })) => (key, Change { revision, value: None }),
            Some(Err(error)) => return Err(error),
            None => return Err(StoreError::WatchLagged),
        };
        self.latest.insert(key, change);
        Ok(())
    }

    /// Collects up to a mark, and gives its revision.
    async fn settle(&mut self) -> Result<Revision, StoreError> {
        let mark = self.store.commit(Transaction::new().put(MARK, Uuid::new_v4().to_string())).await?.revision;
        // The mark is the last that its revision has.
        while self.latest.get(MARK).is_none_or(|change| change.revision < mark) {
            self.collect_one().await?;
        }
        Ok(mark)
    }

    /// Writes what the pages do not show.
    async fn write(self, pages: &Pages, writer: &mut ArchiveWriter) -> Result<(), BackupError> {
        for (key, change) in self.latest.into_iter().filter(|(key, _)| key != MARK) {
            if change.revision <= pages.revision_of(&key) {
                continue;
            }
            match (change.value, pages.written.contains(&hashed(&key))) {
                (Some(value), true) => writer.whole(Kind::StateChanged, &key, value).await?,
                (Some(value), false) => writer.whole(Kind::State, &key, value).await?,
                (None, true) => writer.whole(Kind::StateRemoved, &key, Bytes::new()).await?,
                (None, false) => {}
            }
        }
        Ok(())
    }
}
