//! What the engine says when a build, a pull or a push fails, made into what the user reads. Pure.

use ambo_engine_docker::EngineError;

use crate::output::shorten;
use crate::port::{BuildError, Work};
use crate::progress::Failed;

/// Longest reason that is passed on, in characters.
const REASON_CHARS_MAX: usize = 600;
/// The exit code of a process that was killed, such as for want of memory.
const EXIT_CODE_KILLED: i64 = 137;

/// Sorts why a build failed.
pub(crate) fn build_failure(error: EngineError, failed: Option<Failed>) -> BuildError {
    let message = match &error {
        EngineError::Failed { message } | EngineError::Refused { message, .. } => message.clone(),
        _ => return platform("build the image", error),
    };
    if is_disk_full(&message) {
        return BuildError::DiskFull;
    }
    let reason = reason(&message);
    if let Some(place) =
        reason.strip_prefix("dockerfile parse error ").or_else(|| reason.strip_prefix("Dockerfile parse error "))
    {
        let place = place.trim_start_matches("on ");
        return BuildError::Step(format!("the Dockerfile cannot be read: {place}"));
    }
    if reason.contains("Dockerfile cannot be empty") || reason.contains("no instructions") {
        return BuildError::Step("the Dockerfile is empty: it needs at least a `FROM` line".to_owned());
    }
    match failed {
        Some(Failed::BaseImage { image, reason }) => BuildError::Step(format!(
            "the base image `{image}` can neither be pulled nor found on the engine: {}",
            shorten(self::reason(&reason), REASON_CHARS_MAX)
        )),
        Some(Failed::Step { instruction, error, last }) => BuildError::Step(step_failure(&instruction, &error, &last)),
        None if is_platforms(reason) => platform("build the image", error),
        None => BuildError::Step(format!("the build failed: {}", shorten(reason, REASON_CHARS_MAX))),
    }
}

fn step_failure(instruction: &str, error: &str, last: &[String]) -> String {
    if let Some(path) = error.split('"').nth(1).filter(|_| error.contains("not found")) {
        return format!("`{instruction}` failed: `{path}` is not in the source, or `.dockerignore` leaves it out");
    }
    let Some(code) = exit_code(error) else {
        return format!("`{instruction}` failed: {}", shorten(reason(error), REASON_CHARS_MAX));
    };
    let hint = if code == EXIT_CODE_KILLED { " (it was killed; perhaps the machine ran out of memory)" } else { "" };
    let mut text = format!("`{instruction}` failed with exit code {code}{hint}");
    if !last.is_empty() {
        text.push_str("; its last lines:");
        for line in last {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

/// Why an image could not be pulled.
pub(crate) fn pull_reason(error: &EngineError) -> String {
    shorten(reason(&error.to_string()), REASON_CHARS_MAX)
}

/// Sorts why an image could not be pushed, tagged or inspected: never the user's fault.
pub(crate) fn engine_failure(doing: &str, error: EngineError) -> BuildError {
    if is_disk_full(&error.to_string()) { BuildError::DiskFull } else { platform(doing, error) }
}

pub(crate) fn platform(doing: &str, error: impl std::error::Error + Send + Sync + 'static) -> BuildError {
    BuildError::Platform { doing: doing.to_owned(), source: Box::new(error) }
}

/// Where there are several machines that build, the user can do something about the fault of one.
pub(crate) fn on_node(error: BuildError, work: Work, node: Option<String>) -> BuildError {
    match (error, node) {
        (BuildError::Platform { doing, source }, Some(node)) if source.is::<EngineError>() => {
            BuildError::BrokeOff { work, node, source: Box::new(BuildError::Platform { doing, source }) }
        }
        (BuildError::ImageNotFound { image, reason, .. }, node) => BuildError::ImageNotFound { image, node, reason },
        (error, _) => error,
    }
}

pub(crate) fn is_disk_full(message: &str) -> bool {
    message.contains("no space left on device") || message.contains("disk quota exceeded")
}

/// What failed in the engine itself: its own words, its connections.
fn is_platforms(message: &str) -> bool {
    [
        "context canceled",
        "no active session",
        "transport is closing",
        "connection refused",
        "rpc error: code = Unavailable",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

/// The message without the layers of the engine that it came through.
fn reason(message: &str) -> &str {
    let mut reason = message.trim();
    while let Some(rest) = [
        "failed to solve with frontend dockerfile.v0: ",
        "failed to create LLB definition: ",
        "failed to solve: ",
        "rpc error: code = Unknown desc = ",
    ]
    .iter()
    .find_map(|layer| reason.strip_prefix(layer))
    {
        reason = rest;
    }
    reason
}

/// `exit code: 7` at the end of `executor failed running […]: exit code: 7`, and of newer engines' words for it.
fn exit_code(error: &str) -> Option<i64> {
    let digits = error.rsplit_once("exit code: ")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str, failed: Option<Failed>) -> String {
        build_failure(EngineError::Failed { message: message.to_owned() }, failed).to_string()
    }

    fn step(instruction: &str, error: &str) -> Option<Failed> {
        Some(Failed::Step {
            instruction: instruction.to_owned(),
            error: error.to_owned(),
            last: vec!["boo".to_owned()],
        })
    }

    #[test]
    fn the_engines_words_become_what_a_user_can_act_on() {
        const SOLVE: &str = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: ";
        let base = Failed::BaseImage {
            image: "nosuch:1".into(),
            reason: "failed to do request: Head \"https://r/\": no such host".into(),
        };
        let told = [
            told(
                "executor failed running [/bin/sh -c x]: exit code: 7",
                step("RUN x", "executor failed running [/bin/sh -c x]: exit code: 7"),
            ),
            told("x", step("RUN x", "process \"/bin/sh -c x\" did not complete successfully: exit code: 137")),
            told(
                "failed to compute cache key: \"/nope\" not found: not found",
                step("COPY nope /", "\"/nope\" not found: not found"),
            ),
            told(&format!("{SOLVE}dockerfile parse error line 2: unknown instruction: RUNX"), None),
            told(&format!("{SOLVE}the Dockerfile cannot be empty"), None),
            told(&format!("{SOLVE}failed to do request: x"), Some(base)),
            told("failed to solve: circular dependency detected on stage: a", None),
            told("write /x: no space left on device", step("RUN x", "exit code: 1")),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
        `RUN x` failed with exit code 7; its last lines:
          boo
        `RUN x` failed with exit code 137 (it was killed; perhaps the machine ran out of memory); its last lines:
          boo
        `COPY nope /` failed: `/nope` is not in the source, or `.dockerignore` leaves it out
        the Dockerfile cannot be read: line 2: unknown instruction: RUNX
        the Dockerfile is empty: it needs at least a `FROM` line
        the base image `nosuch:1` can neither be pulled nor found on the engine: failed to do request: Head "https://r/": no such host
        the build failed: circular dependency detected on stage: a
        the platform's disk is full: free some space on its machine and try again
        "#);
    }

    #[test]
    fn only_an_engines_fault_is_its_nodes() {
        let node = || Some("n2".to_owned());
        let gone = || engine_failure("inspect the image", EngineError::down(std::io::Error::other("gone")));
        let told = on_node(gone(), Work::Build, node());
        assert!(matches!(&told, BuildError::BrokeOff { node, .. } if node == "n2"));
        let said = "the build on n2 broke off: push again, and another node builds it if this one is gone";
        assert_eq!(told.to_string(), said);
        let said = on_node(gone(), Work::Import, node()).to_string();
        assert!(said.starts_with("taking in the image on n2 broke off: deploy it again"), "{said}");
        assert!(matches!(on_node(gone(), Work::Build, None), BuildError::Platform { .. }), "there is no other machine");
        let of_the_source = platform("read the source", std::io::Error::other("x"));
        assert!(matches!(on_node(of_the_source, Work::Build, node()), BuildError::Platform { .. }));
        assert!(matches!(on_node(BuildError::Step("x".to_owned()), Work::Build, node()), BuildError::Step(_)));
    }

    #[test]
    fn an_image_that_is_nowhere_is_told_with_the_node_that_looked() {
        let image = ambo_model::ImageReference::parse("shop:1").unwrap();
        let nowhere = BuildError::ImageNotFound { image, node: None, reason: "no such host".to_owned() };
        let said = "image `shop:1` can neither be pulled nor found on the engine: no such host";
        assert_eq!(nowhere.to_string(), said);
        let said = "image `shop:1` can neither be pulled nor found on the engine of n2: no such host";
        assert_eq!(on_node(nowhere, Work::Import, Some("n2".to_owned())).to_string(), said);
    }

    #[test]
    fn an_engine_that_is_gone_is_nobodys_build_failure() {
        let error = build_failure(EngineError::down(std::io::Error::other("gone")), step("RUN x", "context canceled"));
        assert!(matches!(error, BuildError::Platform { .. }));
        let closed =
            EngineError::Failed { message: "rpc error: code = Unavailable desc = transport is closing".into() };
        assert!(matches!(build_failure(closed, None), BuildError::Platform { .. }));
    }
}
