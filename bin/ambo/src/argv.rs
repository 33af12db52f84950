//! Both spellings, and the names that users of Heroku and Deis know, brought to one form before clap reads it.
//!
//! Only the command's own words are touched: what follows them is the command's business.

/// Global options that take the next word as their value.
const VALUED_OPTIONS: [&str; 5] = ["-a", "--app", "-r", "--remote", "--host"];

/// Names of commands that are short for others.
const ALIASES: &[(&str, &[&str])] = &[
    // Apps.
    ("create", &["apps", "create"]),
    ("info", &["apps", "info"]),
    ("open", &["apps", "open"]),
    ("rename", &["apps", "rename"]),
    ("destroy", &["apps", "destroy"]),
    ("transfer", &["apps", "transfer"]),
    ("apps:logs", &["logs"]),
    ("apps:run", &["run"]),
    // Accounts.
    ("auth", &["whoami"]),
    ("auth:login", &["login"]),
    ("auth:logout", &["logout"]),
    ("auth:passwd", &["passwd"]),
    ("auth:register", &["register"]),
    ("auth:whoami", &["whoami"]),
    ("authorizations", &["tokens"]),
    ("authorizations:create", &["tokens", "create"]),
    ("authorizations:revoke", &["tokens", "revoke"]),
    ("authorizations:destroy", &["tokens", "revoke"]),
    // Processes.
    ("scale", &["ps", "scale"]),
    ("restart", &["ps", "restart"]),
    ("stop", &["ps", "stop"]),
    ("kill", &["ps", "stop"]),
    ("dyno:restart", &["ps", "restart"]),
    ("dyno:stop", &["ps", "stop"]),
    ("dyno:kill", &["ps", "stop"]),
    ("dyno:scale", &["ps", "scale"]),
    ("run:detached", &["run", "--detach"]),
    ("run:inside", &["exec"]),
    ("ps:exec", &["exec"]),
    // Builds and releases.
    ("pull", &["deploy", "--image"]),
    ("builds:create", &["deploy", "--image"]),
    ("rollback", &["releases", "rollback"]),
    // Access.
    ("sharing", &["access"]),
    ("perms", &["access"]),
    ("sharing:add", &["access", "add"]),
    ("sharing:list", &["access", "list"]),
    ("sharing:remove", &["access", "remove"]),
    ("perms:create", &["access", "add"]),
    ("perms:list", &["access", "list"]),
    ("perms:delete", &["access", "remove"]),
    ("git:credentials", &["git-credential"]),
    ("help:exit-codes", &["help", "exit-codes"]),
];

/// Groups whose two words may together be an alias, as in `ambo perms create`. Others may have a second word of the
/// user's own, as in `ambo run detached`.
const GROUPS_WITH_ALIASES: [&str; 8] = ["apps", "auth", "authorizations", "builds", "dyno", "perms", "ps", "sharing"];

/// The command whose words are for another program.
const FOREIGN: &str = "heroku";

/// Groups that list, or tell how things stand, when no verb follows.
const GROUP_DEFAULTS: &[(&str, &str)] = &[
    ("access", "list"),
    ("accounts", "list"),
    ("apps", "list"),
    ("builds", "list"),
    ("certs", "list"),
    ("config", "list"),
    ("domains", "list"),
    ("drains", "list"),
    ("healthchecks", "list"),
    ("keys", "list"),
    ("limits", "list"),
    ("maintenance", "status"),
    ("node", "list"),
    ("nodes", "list"),
    ("pipelines", "list"),
    ("ps", "list"),
    ("releases", "list"),
    ("settings", "list"),
    ("tags", "list"),
    ("tokens", "list"),
];

/// Brings the arguments, the program's name first, to the form that clap knows.
pub(crate) fn rewrite(argv: Vec<String>) -> Vec<String> {
    let Some(at) = command_at(&argv, 1) else { return argv };
    let mut words: Vec<String> = argv[..at].to_vec();
    let mut rest = &argv[at..];
    if rest[0] == "help" && rest.len() > 1 {
        words.push("help".to_owned());
        rest = &rest[1..];
    }
    let (command, taken) = canonical(rest);
    words.extend(command);
    // What follows is another program's, options before its command included; help alone is about us.
    let foreign = words.len() == at + 1 && words[at] == FOREIGN && rest.len() > 1;
    if foreign && !matches!(rest[1].as_str(), "--" | "--help" | "-h") {
        words.push("--".to_owned());
    }
    words.extend(rest[taken..].iter().cloned());
    with_default_verb(words, at)
}

/// Where the first word is that is neither option nor an option's value.
fn command_at(argv: &[String], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(word) = argv.get(at) {
        if word == "--" {
            return None;
        }
        if !word.starts_with('-') {
            return Some(at);
        }
        at += if VALUED_OPTIONS.contains(&word.as_str()) { 2 } else { 1 };
    }
    None
}

/// The command that `words` begin with, and how many of them say it.
fn canonical(words: &[String]) -> (Vec<String>, usize) {
    let first = words[0].as_str();
    let alias = |name: &str| ALIASES.iter().find(|(known, _)| *known == name).map(|(_, means)| *means);
    let owned = |means: &[&str]| means.iter().map(|word| (*word).to_owned()).collect();
    if let Some(second) = words.get(1).filter(|_| GROUPS_WITH_ALIASES.contains(&first))
        && let Some(means) = alias(&format!("{first}:{second}"))
    {
        return (owned(means), 2);
    }
    if let Some(means) = alias(first) {
        return (owned(means), 1);
    }
    match first.split_once(':') {
        Some((group, verb)) if is_word(group) && is_word(verb) => (vec![group.to_owned(), verb.to_owned()], 1),
        _ => (vec![first.to_owned()], 1),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Puts in the verb of a group that stands alone: `ambo config` is `ambo config list`. Left alone are groups that a
/// word follows, which is then for clap to judge, and those that are asked for help.
fn with_default_verb(mut words: Vec<String>, at: usize) -> Vec<String> {
    let Some((_, verb)) = GROUP_DEFAULTS.iter().find(|(group, _)| *group == words[at]) else { return words };
    let rest = &words[at + 1..];
    let helps = rest.iter().any(|word| word == "--help" || word == "-h");
    let mut next = 0;
    while let Some(word) = rest.get(next) {
        next += match word.as_str() {
            word if VALUED_OPTIONS.contains(&word) => 2,
            "--json" => 1,
            _ => break,
        };
    }
    let has_verb = rest.get(next).is_some_and(|word| !word.starts_with('-'));
    if !has_verb && !helps {
        words.insert(at + 1, (*verb).to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewritten(line: &str) -> String {
        let argv = std::iter::once("ambo").chain(line.split_whitespace()).map(str::to_owned).collect();
        rewrite(argv)[1..].join(" ")
    }

    #[test]
    fn both_spellings_are_the_same() {
        for (typed, means) in [
            ("config:set A=b", "config set A=b"),
            ("config set A=b:c", "config set A=b:c"),
            ("git:remote -a x", "git remote -a x"),
            ("maintenance:on", "maintenance on"),
            ("-a x config:get KEY", "-a x config get KEY"),
            ("--host http://h:1 ps:scale web=2", "--host http://h:1 ps scale web=2"),
            ("help config:set", "help config set"),
            ("help scale", "help ps scale"),
            ("help exit-codes", "help exit-codes"),
            ("heroku -a x ps:scale web=2", "heroku -- -a x ps:scale web=2"),
            ("--host http://h:1 heroku config", "--host http://h:1 heroku -- config"),
            ("heroku --help", "heroku --help"),
            ("help heroku", "help heroku"),
        ] {
            assert_eq!(rewritten(typed), means, "{typed}");
        }
    }

    #[test]
    fn known_names_of_other_platforms_work() {
        for (typed, means) in [
            ("scale web=2", "ps scale web=2"),
            ("kill run.1", "ps stop run.1"),
            ("create", "apps create"),
            ("auth:login http://h", "login http://h"),
            ("auth login http://h", "login http://h"),
            ("perms:create a@b.c", "access add a@b.c"),
            ("perms create a@b.c", "access add a@b.c"),
            ("sharing", "access list"),
            ("pull nginx:1.27", "deploy --image nginx:1.27"),
            ("run:detached sleep 1", "run --detach sleep 1"),
            ("ps:exec web.1 ls", "exec web.1 ls"),
            ("authorizations:create -d ci", "tokens create -d ci"),
        ] {
            assert_eq!(rewritten(typed), means, "{typed}");
        }
    }

    #[test]
    fn a_group_alone_lists() {
        for (typed, means) in [
            ("config", "config list"),
            ("ps -a x", "ps list -a x"),
            ("releases -n 5", "releases list -n 5"),
            ("config --json", "config list --json"),
            ("config -a x set A=b", "config -a x set A=b"),
            ("config --help", "config --help"),
            ("config sett", "config sett"),
            ("maintenance", "maintenance status"),
            ("whoami", "whoami"),
        ] {
            assert_eq!(rewritten(typed), means, "{typed}");
        }
    }

    #[test]
    fn what_a_command_is_given_stays_as_it_is() {
        for line in
            ["run rake db:migrate", "run detached", "run -- ps:scale", "-- config:set", "--json", "logs -t", "http://x"]
        {
            assert_eq!(rewritten(line), line);
        }
    }

    proptest! {
        #[test]
        fn words_behind_the_command_are_never_changed(words in proptest::collection::vec("[ -~]{0,12}", 0..6)) {
            let argv: Vec<String> = ["ambo", "config:set"].into_iter().map(str::to_owned).chain(words.clone()).collect();
            prop_assert_eq!(&rewrite(argv)[3..], &words[..]);
        }

        #[test]
        fn rewriting_twice_changes_nothing_more(words in proptest::collection::vec("[a-z:-]{0,9}", 0..5)) {
            let argv: Vec<String> = std::iter::once("ambo".to_owned()).chain(words).collect();
            let once = rewrite(argv);
            // `kill:x` and the like hold an alias inside; one pass is all there ever is.
            prop_assume!(!once.iter().any(|word| ALIASES.iter().any(|(alias, _)| alias == word)));
            prop_assume!(!once.iter().any(|word| word.contains(':')));
            prop_assert_eq!(rewrite(once.clone()), once);
        }
    }
}
