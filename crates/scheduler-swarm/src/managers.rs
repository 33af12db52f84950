//! Whom to ask: any manager will do, so one that is away is passed over.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::{Engine, EngineError};

use crate::failure::is_away;

/// Longest wait for a manager's answer. One that has lost the others may say nothing at all.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(15);

/// The managers of a swarm, the one on this machine first.
#[derive(Debug)]
pub(crate) struct Managers {
    engines: Vec<Engine>,
    /// The one that answered last.
    preferred: AtomicUsize,
}

impl Managers {
    pub(crate) fn new(engines: Vec<Engine>) -> Self {
        Self { engines, preferred: AtomicUsize::new(0) }
    }

    /// Asks one manager after the other until one can decide. What is asked may happen although no answer came, so it must
    /// be safe to ask again.
    ///
    /// # Errors
    /// [`EngineError::Down`] when all are away; else what the first said that is not.
    pub(crate) async fn ask<T, F>(&self, call: impl Fn(Engine) -> F) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, EngineError>>,
    {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut away: Option<EngineError> = None;
        for turn in 0..self.engines.len() {
            let index = (first + turn) % self.engines.len();
            let Some(engine) = self.engines.get(index) else { continue };
            let answer = tokio::time::timeout(ANSWER_DURATION_MAX, call(engine.clone())).await;
            match answer.unwrap_or_else(|elapsed| Err(EngineError::down(elapsed))) {
                // Silence says more than that another one is no manager.
                Err(error) if is_away(&error) => {
                    tracing::debug!(manager = index, %error, "passing over a manager that is away");
                    away = Some(away.filter(|said| said.is_down() || !error.is_down()).unwrap_or(error));
                }
                answer => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        Err(match away {
            Some(error) if error.is_down() => error,
            Some(error) => EngineError::down(error),
            None => EngineError::down("the swarm has no managers"),
        })
    }

    /// The same through bollard's client.
    ///
    /// # Errors
    /// As [`Managers::ask`].
    pub(crate) async fn docker<T, E, F>(&self, call: impl Fn(Docker) -> F) -> Result<T, EngineError>
    where
        E: Into<EngineError>,
        F: Future<Output = Result<T, E>>,
    {
        let call = &call;
        self.ask(|engine| async move { call(engine.client().await?).await.map_err(Into::into) }).await
    }

    /// The manager that answered last.
    pub(crate) fn preferred(&self) -> Option<&Engine> {
        self.engines.get(self.preferred.load(Ordering::Relaxed))
    }
}
