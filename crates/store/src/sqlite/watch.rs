//! Watches: readers of the history that wait at its end.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use tokio::sync::watch::Receiver;

use super::history::{self, Cursor, HistoryRead};
use super::readers::Readers;
use crate::port::{Event, Revision, StoreError, Watch};

/// Starts a watch.
pub(super) async fn open(
    readers: Arc<Readers>,
    revisions: Receiver<Revision>,
    prefix: String,
    from: Revision,
) -> Result<Watch, StoreError> {
    // Revision zero is the empty store: there is nothing to see at it.
    let from = from.max(Revision(1));
    let mut watcher = Watcher {
        readers,
        revisions,
        prefix: Arc::from(prefix),
        next: Cursor::start(from),
        events: VecDeque::new(),
        ended: false,
    };
    match watcher.read().await {
        Ok(()) => Ok(stream::unfold(watcher, step).boxed()),
        Err(StoreError::WatchLagged) => Err(StoreError::Compacted(from)),
        Err(error) => Err(error),
    }
}

struct Watcher {
    readers: Arc<Readers>,
    revisions: Receiver<Revision>,
    prefix: Arc<str>,
    next: Cursor,
    /// Read, but not yet given out.
    events: VecDeque<Event>,
    ended: bool,
}

impl Watcher {
    /// Reads on in the history; finds nothing when the end is reached.
    async fn read(&mut self) -> Result<(), StoreError> {
        let (prefix, next) = (Arc::clone(&self.prefix), self.next);
        let found =
            self.readers.read("read the history", move |connection| history::read(connection, &prefix, next)).await?;
        match found {
            HistoryRead::Events { events, next } => {
                self.events = events;
                self.next = next;
                Ok(())
            }
            HistoryRead::Compacted => Err(StoreError::WatchLagged),
        }
    }
}

async fn step(mut watcher: Watcher) -> Option<(Result<Event, StoreError>, Watcher)> {
    loop {
        if let Some(event) = watcher.events.pop_front() {
            return Some((Ok(event), watcher));
        }
        if watcher.ended {
            return None;
        }
        let next = watcher.next.revision;
        // The sender goes with the store.
        watcher.revisions.wait_for(|revision| *revision >= next).await.ok()?;
        if let Err(error) = watcher.read().await {
            watcher.ended = true;
            return Some((Err(error), watcher));
        }
    }
}
