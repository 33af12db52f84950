//! A generated Dockerfile, and the parts that all languages share.

use ambo_model::Command;

/// Who runs the app in generated images.
const USER: &str = "app";
/// The user's number, above those that distributions give out.
const USER_ID: u32 = 10_001;
/// How a cache mount is written.
const CACHE_MOUNT: &str = "--mount=type=cache,target=";

/// A Dockerfile that we made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedDockerfile {
    /// The language, for people.
    pub language: &'static str,
    /// The file's text. It needs no frontend but the engine's own.
    pub text: String,
    /// What `web` runs if the source has no Procfile.
    pub web: Option<Command>,
    /// What stays out of the build context, as lines of a `.dockerignore`.
    pub leaves_out: &'static str,
}

impl GeneratedDockerfile {
    /// The text with caches that belong to `scope` alone, so that apps do not write into each other's.
    #[must_use]
    pub fn text_scoped(&self, scope: &str) -> String {
        let mut parts = self.text.split(CACHE_MOUNT);
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let target = part.split([' ', ',']).next().unwrap_or_default();
            text.push_str(&format!("--mount=type=cache,id={scope}{},target={part}", target.replace('/', "-")));
        }
        text
    }
}

/// Text of a Dockerfile in the making.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn add(&mut self, line: impl AsRef<str>) -> &mut Self {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
        self
    }

    /// A `RUN` with caches.
    pub(super) fn run_cached(&mut self, caches: &[&str], command: &str) -> &mut Self {
        let mounts: String = caches.iter().map(|target| format!("{CACHE_MOUNT}{target} ")).collect();
        self.add(format!("RUN {mounts}{command}"))
    }

    /// The start of the final stage: a user of its own that owns `/app`.
    pub(super) fn user_made(&mut self) -> &mut Self {
        self.add(format!(
            "RUN groupadd --gid {USER_ID} {USER} && useradd --uid {USER_ID} --gid {USER} --home-dir /app --create-home --no-log-init {USER}"
        ))
        .add("WORKDIR /app")
    }

    /// Copies the source, or what a stage made of it, into the final image.
    pub(super) fn copied(&mut self, from: &str) -> &mut Self {
        self.add(format!("COPY --chown={USER}:{USER} {from}"))
    }

    /// The end of the final stage: no longer root, and the command for those who run the image by hand.
    pub(super) fn finish(&mut self, web: Option<&str>) -> String {
        self.add(format!("USER {USER}"));
        if let Some(web) = web {
            let words = serde_json::json!(["/bin/sh", "-c", web]);
            self.add(format!("CMD {words}"));
        }
        std::mem::take(&mut self.0)
    }
}

/// A command line as `web`.
pub(super) fn shell(line: Option<&str>) -> Option<Command> {
    line.map(|line| Command::Shell(line.to_owned()))
}
