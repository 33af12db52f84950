//! One round of work at a time, shared by all who ask for one while another is under way.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// Rounds of something that takes the newest state in whole, so that one that begins after a change covers the change.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    asked: AtomicU64,
    /// The askers up to this one are served.
    served: Mutex<u64>,
}

impl Rounds {
    /// Runs `round`, unless one that began after this call has succeeded meanwhile. A failed one serves nobody but its own
    /// asker: the next runs its own.
    ///
    /// # Errors
    /// The round's.
    pub(crate) async fn share<E>(&self, round: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        let asker = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = self.served.lock().await;
        if *served >= asker {
            return Ok(());
        }
        let covered = self.asked.load(Ordering::SeqCst);
        round.await?;
        *served = covered;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_during_a_round_share_the_next() {
        let (rounds, ran) = (Rounds::default(), AtomicUsize::new(0));
        let ask = || {
            rounds.share(async {
                ran.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok::<_, ()>(())
            })
        };
        assert!(join_all((0..10).map(|_| ask())).await.iter().all(Result::is_ok));
        assert_eq!(ran.load(Ordering::SeqCst), 2, "the first's, and one for all who came during it");
        ask().await.unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 3, "what is asked later is not covered");
    }

    #[tokio::test]
    async fn a_failed_round_serves_nobody_else() {
        let (rounds, ran) = (Rounds::default(), AtomicUsize::new(0));
        let ask = || {
            rounds.share(async {
                tokio::task::yield_now().await;
                if ran.fetch_add(1, Ordering::SeqCst) == 0 { Err(()) } else { Ok(()) }
            })
        };
        let results = join_all((0..3).map(|_| ask())).await;
        assert_eq!(results, [Err(()), Ok(()), Ok(())]);
        assert_eq!(ran.load(Ordering::SeqCst), 2);
    }
}
