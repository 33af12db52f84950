//! `.dockerignore`, by Docker's rules: patterns from the root, `*` within a name, `**` across names, `!` takes back, the
//! last pattern that matches wins, and what lies below a match matches.
//!
//! The engine does not read the file when it gets a tar stream as context, so it is read here.

use std::path::Path;

/// Most patterns that are read; the rest is ignored.
const PATTERNS_MAX: usize = 10_000;

/// What to leave out of the build context.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    takes_back: bool,
    parts: Vec<Vec<char>>,
}

/// Files that the build needs whatever the patterns say.
const NEEDED: [&str; 3] = ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"];

impl Ignore {
    /// Reads a `.dockerignore`. Lines that mean nothing are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { patterns: text.lines().filter_map(pattern).take(PATTERNS_MAX).collect() }
    }

    /// Whether `path` stays out of the context.
    #[must_use]
    pub fn excludes(&self, path: &Path) -> bool {
        if self.patterns.is_empty() || NEEDED.iter().any(|needed| Path::new(needed) == path) {
            return false;
        }
        let names: Vec<Vec<char>> =
            path.components().map(|part| part.as_os_str().to_string_lossy().chars().collect()).collect();
        let mut excluded = false;
        for pattern in &self.patterns {
            if pattern.takes_back == excluded && (1..=names.len()).any(|end| parts_match(&pattern.parts, &names[..end]))
            {
                excluded = !pattern.takes_back;
            }
        }
        excluded
    }
}

fn pattern(line: &str) -> Option<Pattern> {
    if line.starts_with('#') {
        return None;
    }
    let line = line.trim();
    let (takes_back, line) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line),
    };
    let mut parts: Vec<Vec<char>> = Vec::new();
    for part in line.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part.chars().collect()),
        }
    }
    (!parts.is_empty()).then_some(Pattern { takes_back, parts })
}

fn parts_match(parts: &[Vec<char>], names: &[Vec<char>]) -> bool {
    match parts.split_first() {
        None => names.is_empty(),
        Some((part, rest)) if part.as_slice() == ['*', '*'] => {
            // A trailing `**` stands for at least one name, as in Docker.
            let least = usize::from(rest.is_empty());
            (least..=names.len()).any(|skip| parts_match(rest, &names[skip..]))
        }
        Some((part, rest)) => {
            names.split_first().is_some_and(|(name, others)| name_matches(part, name) && parts_match(rest, others))
        }
    }
}

/// Whether a name matches a pattern with `*`, `?`, `[a-z]`, `[^a]` and `\`. Linear in time but for the last `*`.
fn name_matches(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(next) = one_matches(pattern, p, name[n]) {
            (p, n) = (next, n + 1);
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (p, n) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The place in the pattern behind what matched `c`.
fn one_matches(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => Some(at + 1),
        '\\' => (*pattern.get(at + 1)? == c).then_some(at + 2),
        '[' => {
            let negated = pattern.get(at + 1) == Some(&'^');
            let from = at + 1 + usize::from(negated);
            let length = pattern.get(from..)?.iter().skip(1).position(|c| *c == ']')? + 1;
            let set = &pattern[from..from + length];
            (set_holds(set, c) != negated).then_some(from + length + 1)
        }
        exact => (exact == c).then_some(at + 1),
    }
}

fn set_holds(set: &[char], c: char) -> bool {
    let mut at = 0;
    while at < set.len() {
        match set[at..] {
            [low, '-', high, ..] => {
                if (low..=high).contains(&c) {
                    return true;
                }
                at += 3;
            }
            _ => {
                if set[at] == c {
                    return true;
                }
                at += 1;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_follow_dockers_rules() {
        let excludes = |patterns: &str, path: &str| Ignore::parse(patterns).excludes(Path::new(path));
        assert!(excludes("node_modules", "node_modules/a/b.js"));
        assert!(!excludes("node_modules", "web/node_modules/a"));
        assert!(excludes("**/node_modules", "web/node_modules/a") && excludes("**/node_modules", "node_modules"));
        assert!(excludes("/tmp/*.log", "tmp/a.log") && !excludes("/tmp/*.log", "tmp/x/a.log"));
        assert!(excludes("a?[0-9]", "ab7") && !excludes("a[^0-9]", "a7"));
        assert!(excludes("*\n!README.md", "x") && !excludes("*\n!README.md", "README.md"));
        assert!(excludes("docs\n!docs/keep\ndocs/keep/not", "docs/keep/not"));
        assert!(!excludes("*", "Dockerfile") && !excludes("# x\n\n", "x"));
        assert!(excludes("./a/../b", "b") && excludes("x/**", "x/y") && !excludes("x/**", "x"));
    }

    proptest! {
        #[test]
        fn no_pattern_panics(patterns in "[*?\\[\\]!/a\\\\.^-]{0,30}", path in "[ab/]{1,20}") {
            let _ = Ignore::parse(&patterns).excludes(Path::new(&path));
        }
    }
}
