//! What we need to know of a user's Dockerfile. BuildKit parses it for real; faults are its to report.

use std::collections::{BTreeMap, BTreeSet};

/// What a Dockerfile declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    arguments: BTreeSet<String>,
    has_command: bool,
}

impl Dockerfile {
    /// Reads a Dockerfile; what is not understood is skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut stages: BTreeMap<String, bool> = BTreeMap::new();
        let mut stage: Option<String> = None;
        for instruction in instructions(text) {
            let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
            match word.to_ascii_uppercase().as_str() {
                "ARG" => found.arguments.extend(argument_names(rest)),
                "FROM" => {
                    let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
                    let base = words.next().unwrap_or_default().to_ascii_lowercase();
                    found.has_command = stages.get(&base).copied().unwrap_or(false);
                    stage = words
                        .next()
                        .filter(|word| word.eq_ignore_ascii_case("as"))
                        .and(words.next())
                        .map(str::to_ascii_lowercase);
                }
                "CMD" | "ENTRYPOINT" => found.has_command = !matches!(rest.trim(), "" | "[]"),
                _ => {}
            }
            if let Some(stage) = &stage {
                stages.insert(stage.clone(), found.has_command);
            }
        }
        found
    }

    /// Whether an `ARG` line declares the name.
    #[must_use]
    pub fn declares(&self, argument: &str) -> bool {
        self.arguments.contains(argument)
    }

    /// Whether the last stage, or a stage of this file that it is based on, says what the image runs. What the base
    /// image runs does not count: a Python image's interpreter is nobody's app.
    #[must_use]
    pub fn has_command(&self) -> bool {
        self.has_command
    }
}

/// Joins continued lines and drops comments, with the escape character that the file asks for.
fn instructions(text: &str) -> Vec<String> {
    let escape = if escape_directive(text) == Some('`') { '`' } else { '\\' };
    let mut found = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        match line.strip_suffix(escape) {
            Some(head) => {
                current.push_str(head);
                current.push(' ');
            }
            None => {
                current.push_str(line);
                found.push(std::mem::take(&mut current));
            }
        }
    }
    found.push(current);
    found.retain(|instruction| !instruction.trim().is_empty());
    found
}

/// `# escape=` in the comments before anything else.
fn escape_directive(text: &str) -> Option<char> {
    text.lines().take_while(|line| line.trim_start().starts_with('#')).find_map(|line| {
        let (name, value) = line.trim_start().trim_start_matches('#').split_once('=')?;
        name.trim().eq_ignore_ascii_case("escape").then(|| value.trim().chars().next()).flatten()
    })
}

/// The names of `ARG A B=1 C="x y"`.
fn argument_names(rest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut quote: Option<char> = None;
    let mut word = String::new();
    for c in rest.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => {
                let name = word.split('=').next().unwrap_or_default().to_owned();
                if !name.is_empty() {
                    names.push(name);
                }
                word.clear();
            }
            (None, c) => word.push(c),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_are_found_in_all_their_spellings() {
        let file = Dockerfile::parse(
            "# escape=\\\n# ARG NO\nARG A\narg B=1 C=\"x y D\" \\\n  # a comment\n  E\nFROM x\nRUN echo ARG F\nARG G=$A\n",
        );
        assert_eq!(file.arguments.iter().map(String::as_str).collect::<Vec<_>>(), ["A", "B", "C", "E", "G"]);
        assert!(Dockerfile::parse("# escape=`\nARG A `\n B\n").declares("B"));
        assert!(!file.declares("D") && !file.declares("F"));
    }

    #[test]
    fn only_what_the_file_itself_says_is_a_command() {
        let has = |text: &str| Dockerfile::parse(text).has_command();
        assert!(has("FROM x\nCMD [\"a\"]") && has("FROM x\nentrypoint a"));
        assert!(!has("FROM x\nRUN y") && !has("FROM x\nCMD []") && !has(""));
        assert!(!has("FROM x AS build\nCMD a\nFROM y\nCOPY --from=build a b"));
        assert!(has("FROM x AS Base\nCMD a\nFROM --platform=linux/amd64 base\nRUN y"));
        assert!(has("FROM x\nCMD \\\n  a"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
            let _ = Dockerfile::parse(&text);
        }
    }
}
