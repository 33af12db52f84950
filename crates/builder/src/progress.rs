//! BuildKit's events, made into lines. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use ambo_engine_docker::bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use ambo_model::ByteSize;

use crate::import::is_of_another_app;
use crate::output::{LineBuffer, shorten};

/// Longest step name that is shown, in characters.
const STEP_CHARS_MAX: usize = 200;
/// Lines of a failed step that its error repeats.
const LAST_LINES_MAX: usize = 10;
/// Most steps that are known; a Dockerfile has no more in practice.
const STEPS_MAX: usize = 10_000;
/// BuildKit's name of the step that looks a base image up.
const METADATA_STEP: &str = "[internal] load metadata for ";

/// What a build has said so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    steps: HashMap<String, Step>,
    /// Whose output is being shown.
    current: Option<String>,
    layers: HashSet<String>,
    /// Where the image goes.
    repository: String,
    stolen: Option<String>,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    shown: bool,
    output: LineBuffer,
    last: VecDeque<String>,
    error: String,
}

/// The step that a build failed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// A base image is not to be had.
    BaseImage { image: String, reason: String },
    Step {
        /// The instruction: `RUN npm ci`.
        instruction: String,
        error: String,
        last: Vec<String>,
    },
}

impl Progress {
    pub(crate) fn new(repository: &str) -> Self {
        Self { repository: repository.to_owned(), ..Self::default() }
    }

    /// Takes events in, gives the lines to show.
    pub(crate) fn apply(&mut self, event: &StatusResponse) -> Vec<String> {
        let mut lines = Vec::new();
        for vertex in &event.vertexes {
            self.vertex(vertex, &mut lines);
        }
        for status in &event.statuses {
            let Some(layer) = status.id.strip_prefix("sha256:") else { continue };
            let whole = status.completed.is_some() && status.total > 0 && self.layers.len() < STEPS_MAX;
            if whole && self.layers.insert(layer.to_owned()) {
                let size = ByteSize::bytes(u64::try_from(status.total).unwrap_or(0) >> 10 << 10);
                lines.push(format!("pulled layer {} ({size})", layer.get(..12).unwrap_or(layer)));
            }
        }
        for log in &event.logs {
            self.log(&log.vertex, &log.msg, &mut lines);
        }
        lines
    }

    /// Where the build failed, if a step did.
    pub(crate) fn failed(&mut self) -> Option<Failed> {
        let cancelled = |error: &str| error.contains("context canceled");
        let step =
            self.steps.values_mut().filter(|step| !step.error.is_empty()).min_by_key(|step| cancelled(&step.error))?;
        if let Some(image) = step.name.strip_prefix(METADATA_STEP) {
            let image = image.trim_start_matches("docker.io/library/").trim_start_matches("docker.io/");
            return Some(Failed::BaseImage { image: image.to_owned(), reason: step.error.clone() });
        }
        if let Some(line) = step.output.finish() {
            step.last.push_back(line);
        }
        let instruction = step.name.split_once("] ").map_or(step.name.as_str(), |(_, instruction)| instruction);
        Some(Failed::Step {
            instruction: instruction.to_owned(),
            error: step.error.clone(),
            last: step.last.iter().cloned().collect(),
        })
    }

    /// A base image that lies in the builder's registry, but in another app's repository. The engine would take its own
    /// copy of it without asking the registry who may have it. Names are known in full only here, after build arguments
    /// are put in.
    pub(crate) fn base_image_of_another_app(&self) -> Option<&str> {
        self.stolen.as_deref()
    }

    fn vertex(&mut self, vertex: &Vertex, lines: &mut Vec<String>) {
        if let Some(image) = base_images(&vertex.name).find(|image| is_of_another_app(image, &self.repository)) {
            self.stolen = Some(image.to_owned());
        }
        if !self.steps.contains_key(&vertex.digest) && self.steps.len() >= STEPS_MAX {
            return;
        }
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        let name = vertex.name.split_whitespace().collect::<Vec<_>>().join(" ");
        step.name = shorten(&name.replacen("FROM docker.io/library/", "FROM ", 1), STEP_CHARS_MAX);
        step.error.clone_from(&vertex.error);
        let is_step = step.name.starts_with('[') && !step.name.starts_with("[internal]");
        if is_step && !step.shown && (vertex.started.is_some() || vertex.cached) {
            step.shown = true;
            lines.push(if vertex.cached { format!("{} (cached)", step.name) } else { step.name.clone() });
            self.current = Some(vertex.digest.clone());
        }
        if vertex.completed.is_some() {
            lines.extend(step.output.finish());
        }
    }

    fn log(&mut self, digest: &str, bytes: &[u8], lines: &mut Vec<String>) {
        let Some(step) = self.steps.get_mut(digest) else { return };
        for line in step.output.push(bytes) {
            if self.current.as_deref() != Some(digest) {
                // Stages run side by side: say whose output comes now.
                lines.push(format!("{} …", step.name));
                self.current = Some(digest.to_owned());
            }
            if step.last.len() == LAST_LINES_MAX {
                step.last.pop_front();
            }
            step.last.push_back(line.clone());
            lines.push(line);
        }
    }
}

/// The images that a step is based on or copies from.
fn base_images(step: &str) -> impl Iterator<Item = &str> {
    let words = step.split([' ', ',', '\t', '\n']);
    let after_from = step.split_once("FROM ").filter(|(head, _)| head.is_empty() || head.ends_with("] "));
    let from = after_from.and_then(|(_, rest)| rest.split(' ').next());
    let copied = words.filter_map(|word| word.split_once("from=").map(|(_, image)| image.trim_matches(['"', '\''])));
    step.strip_prefix(METADATA_STEP).into_iter().chain(from).chain(copied)
}

#[cfg(test)]
mod tests {
    use ambo_engine_docker::bollard::moby::buildkit::v1::{VertexLog, VertexStatus};

    use super::*;

    fn vertex(digest: &str, name: &str) -> Vertex {
        Vertex { digest: digest.into(), name: name.into(), started: Some(Default::default()), ..Default::default() }
    }

    fn steps(vertexes: Vec<Vertex>) -> StatusResponse {
        StatusResponse { vertexes, ..Default::default() }
    }

    fn log(digest: &str, text: &str) -> StatusResponse {
        let log = VertexLog { vertex: digest.into(), msg: text.as_bytes().to_vec(), ..Default::default() };
        StatusResponse { logs: vec![log], ..Default::default() }
    }

    #[test]
    fn steps_are_shown_once_cached_ones_are_marked_and_the_engines_own_are_not() {
        let mut progress = Progress::default();
        let cached = Vertex { cached: true, ..vertex("b", "[2/3] RUN a \\\n  b") };
        let waiting = Vertex { started: None, ..vertex("c", "[3/3] RUN c") };
        let events = steps(vec![
            vertex("i", "[internal] load remote build context"),
            vertex("a", "[1/3] FROM docker.io/library/x"),
            cached.clone(),
            waiting,
        ]);
        assert_eq!(progress.apply(&events), ["[1/3] FROM x", "[2/3] RUN a \\ b (cached)"]);
        assert!(progress.apply(&steps(vec![cached, vertex("e", "exporting to image")])).is_empty());
    }

    #[test]
    fn output_of_stages_side_by_side_says_whose_it_is() {
        let mut progress = Progress::default();
        progress.apply(&steps(vec![vertex("a", "[a 2/2] RUN a"), vertex("b", "[b 2/2] RUN b")]));
        assert_eq!(progress.apply(&log("b", "one\ntw")), ["one"]);
        assert_eq!(progress.apply(&log("a", "1\n")), ["[a 2/2] RUN a …", "1"]);
        assert_eq!(progress.apply(&log("b", "o\n")), ["[b 2/2] RUN b …", "two"]);
        assert!(progress.apply(&log("unknown", "x\n")).is_empty());
    }

    #[test]
    fn a_failed_step_keeps_its_last_lines_and_goes_before_those_that_were_cancelled() {
        let mut progress = Progress::default();
        progress.apply(&steps(vec![vertex("a", "[2/2] RUN a"), vertex("b", "[b 2/2] RUN b")]));
        for line in 0..30 {
            progress.apply(&log("a", &format!("line {line}\n")));
        }
        progress.apply(&log("a", "no line end"));
        let failed = |digest: &str, error: &str| Vertex { error: error.into(), ..vertex(digest, "[2/2] RUN a") };
        progress.apply(&steps(vec![failed("b", "context canceled: context canceled"), failed("a", "exit code: 7")]));
        let Some(Failed::Step { instruction, error, last }) = progress.failed() else { panic!() };
        assert_eq!((instruction.as_str(), error.as_str()), ("RUN a", "exit code: 7"));
        assert_eq!(last.first().map(String::as_str), Some("line 20"));
        assert_eq!(last.last().map(String::as_str), Some("no line end"));
    }

    #[test]
    fn a_base_image_that_is_not_to_be_had_is_named() {
        let mut progress = Progress::default();
        let name = "[internal] load metadata for docker.io/library/nosuch:1";
        progress.apply(&steps(vec![Vertex { error: "no such host".into(), ..vertex("m", name) }]));
        let wanted = Failed::BaseImage { image: "nosuch:1".into(), reason: "no such host".into() };
        assert_eq!(progress.failed(), Some(wanted));
    }

    #[test]
    fn images_of_other_apps_are_noticed_wherever_they_stand() {
        let noticed = |name: &str| {
            let mut progress = Progress::new("r:1/mine");
            progress.apply(&steps(vec![vertex("a", name)]));
            progress.base_image_of_another_app().map(str::to_owned)
        };
        let long = format!("RUN --mount=target={} --mount=type=bind,from=r:1/other:b,target=/x y", "x".repeat(500));
        for name in [
            "[internal] load metadata for r:1/other:b",
            "[1/2] FROM r:1/other:b",
            "FROM r:1/other:b",
            "[2/2] COPY --from=r:1/other:b /a /b",
            &long,
        ] {
            assert_eq!(noticed(name).as_deref(), Some("r:1/other:b"), "{name}");
        }
        for name in [
            "[1/2] FROM r:1/mine:b",
            "[1/2] FROM debian",
            "[2/2] RUN echo FROM r:1/other:b",
            "[2/2] COPY --from=build /a /b",
        ] {
            assert_eq!(noticed(name), None, "{name}");
        }
    }

    #[test]
    fn a_pulled_layer_is_told_once() {
        let mut progress = Progress::default();
        let status = VertexStatus {
            id: format!("sha256:{}", "a".repeat(64)),
            total: 2 << 20,
            completed: Some(Default::default()),
            ..Default::default()
        };
        let event = StatusResponse { statuses: vec![status.clone(), status], ..Default::default() };
        assert_eq!(progress.apply(&event), ["pulled layer aaaaaaaaaaaa (2M)"]);
        assert!(progress.apply(&event).is_empty());
    }
}
