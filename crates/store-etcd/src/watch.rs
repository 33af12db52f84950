//! Watching: on one member at a time, from where the last one left off.

use std::time::Duration;

use ambo_store::{Event, Revision, StoreError, Watch};
use etcd_client::{Client, Error, EventType, GetOptions, ResponseHeader, WatchOptions, WatchResponse, WatchStream};
use futures::StreamExt;
use futures::stream;
use tokio::sync::watch::Receiver;

use crate::failure::{Failure, is_compacted, sort, store_error};
use crate::keys::{Keys, revision, their_revision};
use crate::members::Members;

/// Largest message that is taken, in bytes. etcd sends what is larger than a request may be (1.5 MiB by default) in pieces.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pause before another member is asked to go on.
const PAUSE: Duration = Duration::from_millis(100);

/// What is watched, for whom.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Not shared: who reads slowly holds nobody else up.
    pub(crate) members: Members,
    pub(crate) keys: Keys,
    pub(crate) prefix: String,
    /// Its sender goes with the store.
    pub(crate) store: Receiver<()>,
}

/// A watch that outlives its member.
struct Following {
    watched: Watched,
    next: Position,
    open: Option<Open>,
}

/// Where a watch goes on, in etcd's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    revision: i64,
    /// So many changes of that revision were told: a large one comes in pieces.
    told: usize,
}

struct Open {
    stream: WatchStream,
    member: usize,
    /// So many changes of the first revision were told by another member.
    skip: usize,
}

/// How a member refused to watch.
enum Refused {
    Compacted,
    Failed(Failure),
}

/// Begins to watch.
pub(crate) async fn watch(watched: Watched, from: Revision) -> Result<Watch, StoreError> {
    // Nothing was written at the first revision.
    let from = from.max(Revision(1));
    let mut following = Following { watched, next: Position { revision: their_revision(from), told: 0 }, open: None };
    match following.open().await {
        Ok(()) => {}
        Err(Refused::Compacted) => return Err(StoreError::Compacted(from)),
        Err(Refused::Failed(failure)) => return Err(store_error("watch keys", failure)),
    }
    let told = stream::unfold(Some(following), |following| async {
        let mut following = following?;
        let mut store = following.watched.store.clone();
        let changes = tokio::select! {
            changes = following.changes() => changes,
            _ = store.changed() => return None,
        };
        match changes {
            Ok(events) => Some((events.into_iter().map(Ok).collect::<Vec<_>>(), Some(following))),
            Err(error) => Some((vec![Err(error)], None)),
        }
    });
    Ok(told.flat_map(stream::iter).boxed())
}

impl Following {
    /// Opens the watch on a member that has a leader.
    async fn open(&mut self) -> Result<(), Refused> {
        let (start, end) = self.watched.keys.span(&self.watched.prefix);
        let from = self.next.revision;
        let options =
            WatchOptions::new().with_range(end).with_start_revision(from).with_progress_notify().with_fragment();
        let ask = |client: Client| {
            let mut client = client.watch_client().max_decoding_message_size(MESSAGE_BYTES_MAX);
            let (start, options) = (start.clone(), options.clone());
            async move {
                let mut stream = client.watch(start, Some(options)).await?;
                let first = stream.message().await?.ok_or_else(|| Error::WatchError("it ended at once".to_owned()))?;
                Ok((stream, first))
            }
        };
        let (stream, first) = self.watched.members.call(ask).await.map_err(Refused::Failed)?;
        ended(&first)?;
        self.has_history(from).await?;
        self.open = Some(Open { stream, member: self.watched.members.first(), skip: self.next.told });
        Ok(())
    }

    /// Whether every change from a revision on is still there. A watch says so only some time after it was opened, and not at
    /// all of a removal at the very revision up to which etcd has compacted: that one is lost, so the revision before must
    /// be there, too.
    async fn has_history(&self, from: i64) -> Result<(), Refused> {
        let before = from - 1;
        let (key, options) = (self.watched.keys.full(""), GetOptions::new().with_count_only().with_revision(before));
        let ask = |mut client: Client| {
            let (key, options) = (key.clone(), options.clone());
            async move { client.get(key, Some(options)).await }
        };
        match self.watched.members.call(ask).await {
            Err(failure) if is_compacted(failure.error()) => Err(Refused::Compacted),
            // A revision that is still to come is refused, too.
            Ok(_) | Err(Failure::Refused(_)) => Ok(()),
            Err(failure) => Err(Refused::Failed(failure)),
        }
    }

    /// The next changes, whichever member tells them. Ends only when the history is gone.
    async fn changes(&mut self) -> Result<Vec<Event>, StoreError> {
        loop {
            let message = match self.message().await {
                Ok(message) => message,
                Err(Refused::Compacted) => return Err(StoreError::WatchLagged),
                Err(Refused::Failed(failure)) => {
                    self.lost(&failure);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let events = self.events(&message);
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    async fn message(&mut self) -> Result<WatchResponse, Refused> {
        if self.open.is_none() {
            self.open().await?;
        }
        let closed = || Refused::Failed(Failure::NotDone(Error::WatchError("the member has ended it".to_owned())));
        let open = self.open.as_mut().ok_or_else(closed)?;
        let message = open.stream.message().await.map_err(|error| Refused::Failed(sort(error)))?.ok_or_else(closed)?;
        ended(&message)?;
        Ok(message)
    }

    /// Another member goes on from here.
    fn lost(&mut self, failure: &Failure) {
        tracing::debug!(prefix = self.watched.prefix, ?failure, "a watch goes on with another member");
        if let Some(open) = self.open.take() {
            self.watched.members.pass_over(open.member);
        }
    }

    fn events(&mut self, message: &WatchResponse) -> Vec<Event> {
        let mut events = Vec::with_capacity(message.events().len());
        for (kind, found) in message.events().iter().filter_map(|event| Some((event.event_type(), event.kv()?))) {
            let at = found.mod_revision();
            if at == self.next.revision
                && let Some(open) = self.open.as_mut().filter(|open| open.skip > 0)
            {
                open.skip -= 1;
                continue;
            }
            self.next.pass(at);
            events.push(match kind {
                EventType::Put => Event::Put(self.watched.keys.entry(found)),
                EventType::Delete => {
                    Event::Delete { key: self.watched.keys.short(found.key()), revision: revision(at) }
                }
            });
        }
        // With nothing to tell, a member says now and then how far it has looked.
        if message.events().is_empty() && !message.created() {
            self.next.advance(message.header().map_or(0, ResponseHeader::revision));
        }
        events
    }
}

impl Position {
    /// A change was told.
    fn pass(&mut self, revision: i64) {
        self.told = if revision == self.revision { self.told + 1 } else { 1 };
        self.revision = revision;
    }

    /// All up to a revision was told.
    fn advance(&mut self, revision: i64) {
        if revision >= self.revision {
            *self = Self { revision: revision.saturating_add(1), told: 0 };
        }
    }
}

/// Whether a message says that the watch is over.
fn ended(message: &WatchResponse) -> Result<(), Refused> {
    match message.canceled() {
        false => Ok(()),
        true if message.compact_revision() > 0 => Err(Refused::Compacted),
        true => Err(Refused::Failed(Failure::NotDone(Error::WatchError(message.cancel_reason().to_owned())))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_goes_on_within_a_revision_and_after_what_was_looked_through() {
        let mut next = Position { revision: 7, told: 0 };
        next.pass(9);
        next.pass(9);
        assert_eq!(next, Position { revision: 9, told: 2 });
        next.advance(8);
        assert_eq!(next, Position { revision: 9, told: 2 }, "no way back");
        next.advance(9);
        assert_eq!(next, Position { revision: 10, told: 0 });
    }
}
