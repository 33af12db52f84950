//! One thing at a time per app, and who is at it. Turns live in memory and end with their holder: a killed push leaves none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{AppId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Who holds a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// For people: `a push by ann@example.com`.
    pub(crate) who: String,
    /// Since when.
    pub(crate) since: Timestamp,
}

#[derive(Debug, Default)]
struct Turn {
    queue: Arc<tokio::sync::Mutex<()>>,
    holder: Arc<Mutex<Option<Holder>>>,
}

/// A turn for every app that anybody waits for.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    apps: Mutex<HashMap<AppId, Turn>>,
}

/// Ends the turn when dropped.
#[derive(Debug)]
pub(crate) struct TurnGuard {
    holder: Arc<Mutex<Option<Holder>>>,
    _queue: OwnedMutexGuard<()>,
}

impl Drop for TurnGuard {
    fn drop(&mut self) {
        *self.holder.lock() = None;
    }
}

impl Turns {
    fn turn(&self, app: AppId) -> (Arc<tokio::sync::Mutex<()>>, Arc<Mutex<Option<Holder>>>) {
        let mut apps = self.apps.lock();
        apps.retain(|id, turn| *id == app || Arc::strong_count(&turn.queue) > 1);
        let turn = apps.entry(app).or_default();
        (turn.queue.clone(), turn.holder.clone())
    }

    /// Who is at it now.
    pub(crate) fn holder(&self, app: AppId) -> Option<Holder> {
        self.turn(app).1.lock().clone()
    }

    /// Waits for the turn, in order of arrival.
    pub(crate) async fn take(&self, app: AppId, who: &str) -> TurnGuard {
        let (queue, holder) = self.turn(app);
        let queue = queue.lock_owned().await;
        *holder.lock() = Some(Holder { who: who.to_owned(), since: Timestamp::now() });
        TurnGuard { holder, _queue: queue }
    }

    /// Waits until everybody who holds a turn now has ended it, at most so long. Whether they have.
    pub(crate) async fn settle(&self, wait: Duration) -> bool {
        let held: Vec<_> = {
            let apps = self.apps.lock();
            apps.values().filter(|turn| turn.holder.lock().is_some()).map(|turn| turn.queue.clone()).collect()
        };
        let ended = held.into_iter().map(|queue| async move { drop(queue.lock().await) });
        tokio::time::timeout(wait, futures::future::join_all(ended)).await.is_ok()
    }

    /// Waits at most so long; then says who holds it.
    pub(crate) async fn take_within(&self, app: AppId, who: &str, wait: Duration) -> Result<TurnGuard, Option<Holder>> {
        match tokio::time::timeout(wait, self.take(app, who)).await {
            Ok(guard) => Ok(guard),
            Err(_) => Err(self.holder(app)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_is_told_who_holds_the_turn_and_gets_it_when_the_first_is_dropped() {
        let (turns, app) = (Turns::default(), AppId::new());
        let first = turns.take(app, "a push by ann").await;
        let refused = turns.take_within(app, "a push by bob", Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(refused.unwrap().who, "a push by ann");
        drop(first);
        assert!(turns.take_within(app, "a push by bob", Duration::from_secs(1)).await.is_ok());
        assert_eq!(turns.holder(app), None);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_at_it_is_waited_for_and_nobody_else() {
        let (turns, app) = (Arc::new(Turns::default()), AppId::new());
        assert!(turns.settle(Duration::from_secs(1)).await, "nobody is");
        let first = turns.take(app, "a push by ann").await;
        assert!(!turns.settle(Duration::from_secs(1)).await);
        let (settled, ended) = tokio::join!(turns.settle(Duration::from_secs(1)), async { drop(first) });
        assert_eq!((settled, ended), (true, ()));
    }

    #[tokio::test]
    async fn apps_do_not_wait_for_one_another() {
        let turns = Turns::default();
        let _first = turns.take(AppId::new(), "a").await;
        let _second = turns.take(AppId::new(), "b").await;
    }
}
