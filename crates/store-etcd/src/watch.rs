//! Watching: on one member at a time, from where the last one left off.

use std::sync::Arc;
use std::time::Duration;

use ambo_store::{Event, Revision, StoreError, Watch};
use etcd_client::{Client, Error, EventType, GetOptions, WatchOptions, WatchResponse, WatchStream};
use futures::StreamExt;
use futures::stream;

use crate::failure::{Failure, sort, store_error};
use crate::keys::{Keys, revision, their_revision};
use crate::members::{Again, Members};

/// Largest message that is taken, in bytes: everything that one transaction may change, and what else fits into etcd's own.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pause before another member is asked to go on.
const PAUSE: Duration = Duration::from_millis(100);

/// A watch that outlives its member.
struct Following {
    members: Arc<Members>,
    keys: Keys,
    prefix: String,
    /// etcd's revision from which on nothing was told yet.
    next: i64,
    open: Option<WatchStream>,
}

/// How a member refused to watch.
enum Refused {
    Compacted,
    Failed(Failure),
}

/// Begins to watch.
pub(crate) async fn watch(
    members: Arc<Members>,
    keys: Keys,
    prefix: String,
    from: Revision,
) -> Result<Watch, StoreError> {
    let mut following = Following { members, keys, prefix, next: their_revision(from), open: None };
    match following.begin().await {
        Ok(()) => {}
        Err(Refused::Compacted) => return Err(StoreError::Compacted(from)),
        Err(Refused::Failed(failure)) => return Err(store_error("watch keys", failure)),
    }
    let told = stream::unfold(Some(following), |following| async {
        let mut following = following?;
        match following.changes().await {
            Ok(events) => Some((events.into_iter().map(Ok).collect::<Vec<_>>(), Some(following))),
            Err(error) => Some((vec![Err(error)], None)),
        }
    });
    Ok(told.flat_map(stream::iter).boxed())
}

impl Following {
    /// Opens the watch, if its history is there: etcd itself says so only some time later.
    async fn begin(&mut self) -> Result<(), Refused> {
        let (key, options) = (self.keys.full(""), GetOptions::new().with_count_only().with_revision(self.next));
        let ask = |mut client: Client| {
            let (key, options) = (key.clone(), options.clone());
            async move { client.get(key, Some(options)).await }
        };
        match self.members.call(Again::Yes, ask).await {
            Err(Failure::Refused(Error::GRpcStatus(status))) if status.message().contains("compacted") => {
                Err(Refused::Compacted)
            }
            // A revision that is still to come is refused, too.
            Ok(_) | Err(Failure::Refused(_)) => self.open().await,
            Err(failure) => Err(Refused::Failed(failure)),
        }
    }

    /// Opens the watch on a member that has a leader.
    async fn open(&mut self) -> Result<(), Refused> {
        let (start, end) = self.keys.span(&self.prefix);
        let options = WatchOptions::new().with_range(end).with_start_revision(self.next).with_progress_notify();
        let ask = |client: Client| {
            let mut client = client.watch_client().max_decoding_message_size(MESSAGE_BYTES_MAX);
            let (start, options) = (start.clone(), options.clone());
            async move {
                let mut stream = client.watch(start, Some(options)).await?;
                let first = stream.message().await?.ok_or_else(|| Error::WatchError("it ended at once".to_owned()))?;
                Ok((stream, first))
            }
        };
        let (stream, first) = self.members.call(Again::Yes, ask).await.map_err(Refused::Failed)?;
        self.open = Some(stream);
        self.look(&first)
    }

    /// Whether the watch goes on after this message.
    fn look(&self, message: &WatchResponse) -> Result<(), Refused> {
        match message.canceled() {
            false => Ok(()),
            true if message.compact_revision() > 0 => Err(Refused::Compacted),
            true => Err(Refused::Failed(Failure::NotDone(Error::WatchError(message.cancel_reason().to_owned())))),
        }
    }

    /// The next changes, whichever member tells them. Ends only when the history is gone.
    async fn changes(&mut self) -> Result<Vec<Event>, StoreError> {
        loop {
            match self.message().await {
                Ok(message) => match self.look(&message) {
                    Ok(()) => {
                        let events = self.events(&message);
                        if !events.is_empty() {
                            return Ok(events);
                        }
                    }
                    Err(Refused::Compacted) => return Err(StoreError::WatchLagged),
                    Err(Refused::Failed(failure)) => self.lost(&failure),
                },
                Err(Refused::Compacted) => return Err(StoreError::WatchLagged),
                Err(Refused::Failed(failure)) => {
                    self.lost(&failure);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn message(&mut self) -> Result<WatchResponse, Refused> {
        if self.open.is_none() {
            self.open().await?;
        }
        let ended = || Refused::Failed(Failure::NotDone(Error::WatchError("the member has ended it".to_owned())));
        let stream = self.open.as_mut().ok_or_else(ended)?;
        match stream.message().await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(ended()),
            Err(error) => Err(Refused::Failed(sort(error))),
        }
    }

    /// Another member goes on from here.
    fn lost(&mut self, failure: &Failure) {
        tracing::debug!(prefix = self.prefix, ?failure, "a watch goes on with another member");
        if self.open.take().is_some() {
            self.members.pass_over(self.members.first());
        }
    }

    fn events(&mut self, message: &WatchResponse) -> Vec<Event> {
        let told = message.events().iter().filter_map(|event| Some((event.event_type(), event.kv()?)));
        let events = told.map(|(kind, found)| match kind {
            EventType::Put => Event::Put(self.keys.entry(found)),
            EventType::Delete => {
                Event::Delete { key: self.keys.short(found.key()), revision: revision(found.mod_revision()) }
            }
        });
        let events: Vec<Event> = events.collect();
        // Changes of one revision come in one message.
        let last = message.events().last().and_then(|event| event.kv()).map(|found| found.mod_revision());
        let progress = events.is_empty().then(|| message.header().map(|header| header.revision())).flatten();
        if let Some(last) = last.or(progress.filter(|_| !message.created())) {
            self.next = self.next.max(last.saturating_add(1));
        }
        events
    }
}
