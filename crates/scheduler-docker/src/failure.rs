//! The engine's errors in the port's words.

use ambo_engine_docker::EngineError;
use ambo_model::{ImageReference, InstanceId};
use ambo_scheduler::SchedulerError;

/// For `map_err`: the engine failed at `doing`.
pub(crate) fn failed<E: Into<EngineError>>(doing: impl Into<String>) -> impl FnOnce(E) -> SchedulerError {
    move |error| match error.into() {
        error @ EngineError::Down { .. } => SchedulerError::EngineDown { source: Box::new(error) },
        error => SchedulerError::Engine { doing: doing.into(), source: Box::new(error) },
    }
}

/// For `map_err`: the engine failed at `doing` with an instance, which may be gone.
pub(crate) fn failed_with<E: Into<EngineError>>(
    doing: &'static str,
    instance: &InstanceId,
) -> impl FnOnce(E) -> SchedulerError {
    move |error| match error.into() {
        EngineError::NotFound { .. } => SchedulerError::InstanceGone(instance.clone()),
        error => failed(format!("{doing} {instance}"))(error),
    }
}

/// For `map_err`: the engine failed to read a log; it refuses for containers that are being removed.
pub(crate) fn log_failed<E: Into<EngineError>>(instance: &InstanceId) -> impl FnOnce(E) -> SchedulerError {
    move |error| match error.into() {
        EngineError::Conflict { .. } => SchedulerError::InstanceGone(instance.clone()),
        error => failed_with("read the log of instance", instance)(error),
    }
}

/// For `map_err`: the engine did not start `what`. Tells the user's fault from the engine's.
pub(crate) fn not_started<E: Into<EngineError>>(what: &str) -> impl FnOnce(E) -> SchedulerError {
    move |error| match error.into() {
        EngineError::Refused { status, message } if status == 400 || is_of_the_image(&message) => {
            SchedulerError::Start { what: what.to_owned(), reason: message }
        }
        error => failed(format!("start {what}"))(error),
    }
}

/// For `map_err`: the engine did not get the image.
pub(crate) fn not_pulled<E: Into<EngineError>>(image: &ImageReference) -> impl FnOnce(E) -> SchedulerError {
    move |error| match error.into() {
        error @ EngineError::Down { .. } => SchedulerError::EngineDown { source: Box::new(error) },
        error => SchedulerError::ImagePull { image: image.clone(), source: Box::new(error) },
    }
}

/// Whether a refusal to start lies in the image or its command: the runtime refused, or the image's user is unknown.
fn is_of_the_image(message: &str) -> bool {
    ["OCI runtime", "unable to find user", "unable to find group", "no matching entries"]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_the_image_prevents_is_told_from_one_that_the_engine_prevents() {
        let refused = |status, message: &str| EngineError::Refused { status, message: message.to_owned() };
        let start = |error| matches!(not_started("web.1")(error), SchedulerError::Start { .. });
        assert!(start(refused(400, "executable file not found in $PATH")));
        assert!(start(refused(500, "OCI runtime create failed: no such directory")));
        assert!(start(refused(500, "unable to find user app: no matching entries in passwd file")));
        assert!(!start(refused(500, "no space left on device")));
        assert!(matches!(not_started("web.1")(EngineError::down("gone")), SchedulerError::EngineDown { .. }));
    }
}
