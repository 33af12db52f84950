//! `.dockerignore`, whose patterns count from the root where those of `.gitignore` hold at any depth.

use std::fs;
use std::io;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Files that the platform itself reads: they go along even when the image shall not have them.
const ALWAYS: [&str; 5] = ["Dockerfile", ".dockerignore", "Procfile", "app.json", "ambo.toml"];

/// The patterns.
#[derive(Debug)]
pub(super) struct Dockerignore {
    patterns: Gitignore,
}

impl Dockerignore {
    /// Those of a directory; none when it has no such file.
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        match fs::read_to_string(directory.join(".dockerignore")) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::parse(""),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> io::Result<Self> {
        let mut builder = GitignoreBuilder::new("");
        for line in text.lines().filter_map(anchored) {
            builder.add_line(None, &line).map_err(io::Error::other)?;
        }
        Ok(Self { patterns: builder.build().map_err(io::Error::other)? })
    }

    /// Whether a file, named from the root, is left out: by its own name, or by a directory's that it is in.
    pub(super) fn leaves_out(&self, path: &Path) -> bool {
        let is_needed = ALWAYS.iter().any(|name| path == Path::new(name));
        !is_needed && self.patterns.matched_path_or_any_parents(path, false).is_ignore()
    }
}

/// A line as `.gitignore` would have it; `None` for comments and empty lines.
fn anchored(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (negation, pattern) = match line.strip_prefix('!') {
        Some(pattern) => ("!", pattern.trim()),
        None => ("", line),
    };
    let pattern = pattern.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
    match pattern {
        "" | "." => None,
        pattern => Some(format!("{negation}/{pattern}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_count_from_the_root() {
        let patterns = Dockerignore::parse("# c\ndocs/\n**/*.tmp\n*.md\n!README.md\n/build\n").unwrap();
        let left_out = |path: &str| patterns.leaves_out(Path::new(path));
        for path in ["docs/a", "docs/b/c", "x.tmp", "a/b/x.tmp", "NOTES.md", "build/x"] {
            assert!(left_out(path), "{path}");
        }
        for path in ["src/docs/a", "README.md", "src/NOTES.md", "src/build/x"] {
            assert!(!left_out(path), "{path}");
        }
    }

    #[test]
    fn a_list_of_exceptions_works() {
        let patterns = Dockerignore::parse("*\n!src/app\n").unwrap();
        assert!(patterns.leaves_out(Path::new("secret")));
        assert!(patterns.leaves_out(Path::new("src/other")));
        assert!(!patterns.leaves_out(Path::new("src/app/main.py")));
        assert!(!patterns.leaves_out(Path::new("Dockerfile")));
    }
}
