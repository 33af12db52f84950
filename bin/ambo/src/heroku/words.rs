//! What somebody wants of the `heroku` CLI, read from the words they typed. The CLI itself parses them again.

/// Options of the CLI that stand before a command and take the next word.
const VALUED_OPTIONS: [&str; 4] = ["-a", "--app", "-r", "--remote"];
/// How many words a command may have when it is written with spaces.
const COMMAND_WORDS_MAX: usize = 3;

/// Commands that ask no server, or none of ours: they run as they would without us, and get no token.
const LOCAL_TOPICS: [&str; 9] =
    ["local", "help", "version", "autocomplete", "plugins", "update", "which", "commands", "search"];

/// The words of a command line for `heroku`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    words: &'a [String],
}

impl<'a> Words<'a> {
    pub(crate) fn new(words: &'a [String]) -> Self {
        Self { words }
    }

    /// The command as the CLI spells it, and as it is spelled with spaces: `ps`, `ps:exec`, `ps:exec:…`.
    pub(super) fn commands(&self) -> Vec<String> {
        let Some(at) = self.command_at() else { return Vec::new() };
        let plain = self.words[at..].iter().take(COMMAND_WORDS_MAX).take_while(|word| !word.starts_with('-'));
        let mut joined = String::new();
        let mut commands = Vec::new();
        for word in plain {
            if !joined.is_empty() {
                joined.push(':');
            }
            joined.push_str(word);
            commands.push(joined.clone());
        }
        commands
    }

    /// The command's first word, aliases and all.
    pub(super) fn command(&self) -> Option<&'a str> {
        self.command_at().map(|at| self.words[at].as_str())
    }

    fn command_at(&self) -> Option<usize> {
        let mut at = 0;
        while let Some(word) = self.words.get(at) {
            if !word.starts_with('-') {
                return Some(at);
            }
            at += if VALUED_OPTIONS.contains(&word.as_str()) { 2 } else { 1 };
        }
        None
    }

    /// Whether the CLI only explains itself, or does its work on this machine.
    pub(super) fn is_local(&self) -> bool {
        let explains = |word: &&String| matches!(word.as_str(), "--help" | "-h");
        if self.options().any(|word| explains(&word)) {
            return true;
        }
        match self.command() {
            None => true,
            Some(command) => LOCAL_TOPICS.contains(&command.split(':').next().unwrap_or_default()),
        }
    }

    /// Whether an app is named.
    pub(super) fn names_app(&self) -> bool {
        self.value_of("-a", "--app").is_some()
    }

    /// The git remote that is named.
    pub(super) fn remote(&self) -> Option<&'a str> {
        self.value_of("-r", "--remote")
    }

    /// Whether git remotes may be made, so that the app which one leads to already is not meant.
    pub(super) fn makes_remotes(&self) -> bool {
        let makes =
            |command: &String| matches!(command.as_str(), "create" | "apps:create" | "git:remote" | "git:clone");
        self.commands().iter().any(makes)
    }

    /// What stands before `--`.
    fn options(&self) -> impl Iterator<Item = &'a String> {
        self.words.iter().take_while(|word| *word != "--")
    }

    /// The value of an option in one of its spellings: `-a x`, `-ax`, `--app x`, `--app=x`.
    fn value_of(&self, short: &str, long: &str) -> Option<&'a str> {
        let mut words = self.options();
        while let Some(word) = words.next() {
            if word == short || word == long {
                return words.next().map(String::as_str);
            }
            if let Some(value) = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
                return Some(value);
            }
            if let Some(value) = word.strip_prefix(short).filter(|value| !value.is_empty()) {
                return Some(value.trim_start_matches('='));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_command_is_found_behind_options_and_in_both_spellings() {
        for (line, command) in [
            ("ps:exec --dyno web.1", "ps:exec"),
            ("-a shop ps:exec", "ps:exec"),
            ("--app=shop ps exec", "ps ps:exec"),
            ("ps autoscale enable --min 1", "ps ps:autoscale ps:autoscale:enable"),
            ("run -a shop -- ps exec", "run"),
            ("", ""),
        ] {
            assert_eq!(Words::new(&split(line)).commands().join(" "), command, "{line}");
        }
    }

    #[test]
    fn app_and_remote_are_found_where_they_may_stand() {
        let words = split("ps -a shop");
        assert!(Words::new(&words).names_app());
        for line in ["ps -r staging", "ps --remote=staging", "-r staging ps", "ps -rstaging"] {
            assert_eq!(Words::new(&split(line)).remote(), Some("staging"), "{line}");
        }
        assert!(!Words::new(&split("run -- ls -a x")).names_app(), "behind `--` it is the remote command's");
    }

    #[test]
    fn what_stays_on_this_machine_is_told_apart() {
        for line in ["local", "local:run env", "help ps", "--version", "", "ps:exec --help", "plugins:install x"] {
            assert!(Words::new(&split(line)).is_local(), "{line}");
        }
        for line in ["ps", "run -- ls --help", "status", "localhost"] {
            assert!(!Words::new(&split(line)).is_local(), "{line}");
        }
    }
}
