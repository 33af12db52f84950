//! Questions that cost the same however many are asked at once: those that come while one lot is being answered are the next.

use std::future::Future;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// Questions that wait, each with whom to tell the answer.
type Waiting<Q, A> = Vec<(Q, oneshot::Sender<A>)>;

/// Gathers questions.
pub(crate) struct Batches<Q, A> {
    waiting: Mutex<Waiting<Q, A>>,
    /// Held by whoever answers.
    turn: tokio::sync::Mutex<()>,
}

impl<Q, A> Default for Batches<Q, A> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<Q: Clone, A> Batches<Q, A> {
    /// Asks; `answer` gives one answer to each question, in their order, and begins after this call. Cancel safe: when
    /// whoever was answering for others leaves, these ask again.
    pub(crate) async fn ask<F>(&self, question: Q, answer: impl Fn(Vec<Q>) -> F) -> A
    where
        F: Future<Output = Vec<A>>,
    {
        loop {
            let (teller, mut told) = oneshot::channel();
            self.waiting.lock().push((question.clone(), teller));
            let turn = self.turn.lock().await;
            match told.try_recv() {
                Ok(answer) => return answer,
                Err(TryRecvError::Closed) => continue, // Whoever was answering has left.
                Err(TryRecvError::Empty) => {}
            }
            let (questions, tellers): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.waiting.lock()).into_iter().unzip();
            for (teller, answer) in tellers.into_iter().zip(answer(questions).await) {
                let _ = teller.send(answer); // Whoever asked may have left.
            }
            drop(turn);
            if let Ok(answer) = told.try_recv() {
                return answer;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_while_one_is_answered_are_answered_together() {
        let (batches, lots) = (Batches::default(), AtomicUsize::new(0));
        let ask = |number: usize| {
            batches.ask(number, |numbers: Vec<usize>| async {
                lots.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                numbers.into_iter().map(|number| number * 2).collect()
            })
        };
        let answers = join_all((0..100).map(ask)).await;
        assert_eq!(answers, (0..100).map(|number| number * 2).collect::<Vec<_>>(), "each has its own");
        assert_eq!(lots.load(Ordering::SeqCst), 2, "the first's, and one for all who came during it");
    }

    #[tokio::test]
    async fn whoever_leaves_while_answering_leaves_nobody_without_an_answer() {
        let batches: Batches<u32, u32> = Batches::default();
        let never = batches.ask(1, |_| std::future::pending());
        let asked = batches.ask(2, std::future::ready);
        let leaves = async {
            let _ = futures::future::select(std::pin::pin!(never), std::pin::pin!(tokio::task::yield_now())).await;
        };
        let ((), answer) = futures::join!(leaves, asked);
        assert_eq!(answer, 2);
    }
}
