//! Patience with an engine that does not answer for a moment, as a swarm does not while it elects another leader.

use std::time::Duration;

use ambo_scheduler::SchedulerError;
use tokio::time::Instant;

use crate::progress::Progress;

/// How long a rollout waits for its engine. A swarm whose leader's machine dies has another leader after 10 to 30 s.
const ENGINE_AWAY_MAX: Duration = Duration::from_secs(60);
/// Pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks again while the engine does not answer, and tells once whoever waits. What is asked must be safe to repeat.
///
/// # Errors
/// Whatever the engine answers; that it is away, when it stays so for a minute.
pub(crate) async fn patiently<T, A>(progress: &Progress, ask: impl Fn() -> A) -> Result<T, SchedulerError>
where
    A: Future<Output = Result<T, SchedulerError>>,
{
    let mut away_since = None;
    loop {
        match ask().await {
            Err(SchedulerError::EngineDown { source }) if away_for(away_since) < ENGINE_AWAY_MAX => {
                if away_since.is_none() {
                    tracing::info!(%source, "a rollout waits for the engine");
                    progress.detail("The container engine does not answer: waiting for it…").await;
                }
                away_since.get_or_insert_with(Instant::now);
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

fn away_for(since: Option<Instant>) -> Duration {
    since.map_or(Duration::ZERO, |since| since.elapsed())
}
