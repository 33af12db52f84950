//! The engine's errors in the port's words.

use ambo_engine_docker::EngineError;
use ambo_scheduler::SchedulerError;

/// What managers say when they, or all of them together, cannot decide: another one may, or the same one later.
const AWAY: [&str; 8] = [
    "does not have a leader",
    "not a swarm manager",
    "from a worker node",
    "Swarm is encrypted",
    "code = Unavailable",
    "code = DeadlineExceeded",
    "code = Canceled",
    "context deadline exceeded",
];
/// What Swarm says when somebody else has changed what is to be changed.
const OUT_OF_SEQUENCE: &str = "out of sequence";

/// For `map_err`: the engine failed at `doing`.
pub(crate) fn failed<E: Into<EngineError>>(doing: impl Into<String>) -> impl FnOnce(E) -> SchedulerError {
    move |error| match error.into() {
        error @ EngineError::Down { .. } => SchedulerError::EngineDown { source: Box::new(error) },
        error => SchedulerError::Engine { doing: doing.into(), source: Box::new(error) },
    }
}

/// For `map_err`: the engine was asked for what the cluster may not allow.
pub(crate) fn refused(doing: impl Into<String>) -> impl FnOnce(EngineError) -> SchedulerError {
    move |error| match error {
        EngineError::Conflict { message } | EngineError::Refused { message, .. } => {
            SchedulerError::Refused { doing: doing.into(), reason: without_code(&message).to_owned() }
        }
        error => failed(doing)(error),
    }
}

/// For `map_err`: it happened on this node. What is the same on every node, and what is gone, needs none.
pub(crate) fn on_node(name: &str) -> impl FnOnce(SchedulerError) -> SchedulerError {
    let node = name.to_owned();
    move |error| match error {
        SchedulerError::EngineDown { source } => {
            SchedulerError::EngineDown { source: Box::new(OnNode { node, source }) }
        }
        SchedulerError::ImagePull { image, source } => {
            SchedulerError::ImagePull { image, source: Box::new(OnNode { node, source }) }
        }
        SchedulerError::Engine { doing, source } => {
            SchedulerError::Engine { doing: format!("{doing} on node {node}"), source }
        }
        error => error,
    }
}

/// Where something went wrong.
#[derive(Debug, thiserror::Error)]
#[error("on node {node}")]
struct OnNode {
    node: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Whether a manager cannot decide anything now.
pub(crate) fn is_away(error: &EngineError) -> bool {
    match error {
        EngineError::Down { .. } => true,
        EngineError::Refused { message, .. } | EngineError::Conflict { message } => {
            AWAY.iter().any(|words| message.contains(words))
        }
        _ => false,
    }
}

/// Whether a change was made to an older version than there is.
pub(crate) fn is_out_of_sequence(error: &EngineError) -> bool {
    match error {
        EngineError::Refused { message, .. } | EngineError::Conflict { message } => message.contains(OUT_OF_SEQUENCE),
        _ => false,
    }
}

/// What Swarm says, without the code that it puts before it.
fn without_code(message: &str) -> &str {
    message.split_once("desc = ").map_or(message, |(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> EngineError {
        EngineError::from_status(500, message.to_owned())
    }

    #[test]
    fn managers_that_cannot_decide_are_away() {
        assert!(is_away(&said("rpc error: code = Unknown desc = The swarm does not have a leader. It's possible …")));
        assert!(is_away(&EngineError::from_status(503, "This node is not a swarm manager. Use …".to_owned())));
        assert!(is_away(&EngineError::from_status(
            403,
            "Cannot create a multi-host network from a worker node.".to_owned()
        )));
        assert!(is_away(&EngineError::down("gone")));
        assert!(!is_away(&said("rpc error: code = Unknown desc = update out of sequence")));
        assert!(is_out_of_sequence(&said("rpc error: code = Unknown desc = update out of sequence")));
    }

    #[test]
    fn what_happened_on_a_node_is_told_with_its_name() {
        let told = |error| {
            let error = on_node("n2")(error);
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("{error}: {source}")
        };
        let image = ambo_model::ImageReference::parse("shop:1").unwrap();
        let pull = SchedulerError::ImagePull { image, source: "manifest unknown".into() };
        assert_eq!(told(pull), "pull image shop:1: on node n2");
        let down = SchedulerError::EngineDown { source: "gone".into() };
        assert_eq!(told(down), "the container engine does not answer: on node n2");
        let failed = SchedulerError::Engine { doing: "start a run".to_owned(), source: "no".into() };
        assert_eq!(told(failed), "start a run on node n2: no");
        let start = SchedulerError::Start { what: "web.1".to_owned(), reason: "no such file".to_owned() };
        assert_eq!(told(start), "start web.1: no such file: ", "the image has it on no node");
    }

    #[test]
    fn what_is_not_allowed_is_said_in_the_engines_words() {
        let error =
            said("rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm");
        assert_eq!(
            refused("make node n1 a worker")(error).to_string(),
            "make node n1 a worker: attempting to demote the last manager of the swarm"
        );
    }
}
