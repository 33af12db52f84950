//! The few words of shell that the fake engine understands, so that one suite of commands runs on it and on a real engine.
//!
//! `echo`, `printf`, `sleep`, `exit`, `true`, `false`, `cat`, `read`, `kill -9 $$`, `stty size`, joined by `;` and `&&`; quotes, variables
//! and `>&2`. Anything else is not found, as in a real shell.

use std::time::Duration;

use ambo_model::Command;

/// One command of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Writes a line.
    Echo { text: String, to_stderr: bool },
    /// Waits; `None` is for ever.
    Sleep(Option<Duration>),
    /// Ends with this code.
    Exit(i32),
    /// Copies the input to the output.
    Cat,
    /// Waits for a line of input.
    Read,
    /// Writes the terminal's rows and columns.
    TerminalSize,
}

/// A command, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script(pub(super) Vec<Step>);

/// What a script writes and when it ends, counted from its start, if nobody gives it any input.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) lines: Vec<(Duration, String)>,
    pub(super) end: Option<(Duration, i32)>,
}

impl Script {
    /// Reads a command. The error is the engine's reason why it cannot be started.
    pub(super) fn parse(command: &Command, variable: &dyn Fn(&str) -> String) -> Result<Self, String> {
        match command {
            Command::Image => Ok(Self(vec![Step::Sleep(None)])),
            Command::Shell(line) => Ok(Self(shell(line, variable))),
            Command::Argv(words) => match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["sh" | "/bin/sh", "-c", line] => Ok(Self(shell(line, variable))),
                [program, ..] if !program.contains('/') && step(words).is_some() => {
                    Ok(Self(step(words).into_iter().collect()))
                }
                _ => Err(format!("`{}`: no such file or directory", words.first().map_or("", String::as_str))),
            },
        }
    }

    /// A program that ends at once with this code.
    pub(super) fn crash(code: i32) -> Self {
        Self(vec![Step::Echo { text: "crashing".to_owned(), to_stderr: true }, Step::Exit(code)])
    }

    pub(super) fn timeline(&self) -> Timeline {
        let mut at = Duration::ZERO;
        let mut lines = Vec::new();
        for step in &self.0 {
            match step {
                Step::Echo { text, .. } => lines.push((at, text.clone())),
                Step::Sleep(Some(duration)) => at += *duration,
                Step::Sleep(None) => return Timeline { lines, end: None },
                Step::Exit(code) => return Timeline { lines, end: Some((at, *code)) },
                Step::Cat | Step::Read | Step::TerminalSize => {}
            }
        }
        Timeline { lines, end: Some((at, 0)) }
    }
}

fn shell(line: &str, variable: &dyn Fn(&str) -> String) -> Vec<Step> {
    let mut steps = Vec::new();
    for words in commands(line, variable) {
        let Some(step) = step(&words) else {
            steps.push(Step::Echo { text: format!("/bin/sh: 1: {}: not found", words[0]), to_stderr: true });
            steps.push(Step::Exit(127));
            break;
        };
        steps.push(step);
    }
    steps
}

fn step(words: &[String]) -> Option<Step> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Some(match words.as_slice() {
        ["echo", text @ .., ">&2"] => Step::Echo { text: text.join(" "), to_stderr: true },
        ["echo", text @ ..] => Step::Echo { text: text.join(" "), to_stderr: false },
        ["sleep", "infinity"] => Step::Sleep(None),
        ["sleep", seconds] => Step::Sleep(Some(Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?)),
        ["exit", code] => Step::Exit(code.parse().ok()?),
        ["true"] => Step::Sleep(Some(Duration::ZERO)),
        ["false"] => Step::Exit(1),
        ["cat"] => Step::Cat,
        ["read", ..] => Step::Read,
        ["stty", "size"] => Step::TerminalSize,
        ["kill", signal, "$$"] => Step::Exit(128 + signal.strip_prefix('-')?.parse::<i32>().ok()?),
        _ => return None,
    })
}

/// Splits a line into commands of words.
fn commands(line: &str, variable: &dyn Fn(&str) -> String) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('$', None | Some('"')) if chars.peek().is_some_and(|c| c.is_ascii_alphabetic() || *c == '_') => {
                let mut name = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                word.get_or_insert_default().push_str(&variable(&name));
            }
            (' ' | '\t', None) => commands.last_mut().into_iter().for_each(|command| command.extend(word.take())),
            ('&', None) if chars.peek() != Some(&'2') => {
                chars.next_if_eq(&'&');
                commands.last_mut().into_iter().for_each(|command| command.extend(word.take()));
                commands.push(Vec::new());
            }
            (';' | '\n', None) => {
                commands.last_mut().into_iter().for_each(|command| command.extend(word.take()));
                commands.push(Vec::new());
            }
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    commands.last_mut().into_iter().for_each(|command| command.extend(word.take()));
    commands.retain(|command| !command.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_a_shell_reads_it() {
        let variable = |name: &str| if name == "DYNO" { "web.1".to_owned() } else { String::new() };
        let line = "echo \"I am $DYNO\"; echo 'not $DYNO' >&2 && sleep 2; nosuch";
        let script = Script::parse(&Command::Shell(line.to_owned()), &variable).unwrap();
        let timeline = script.timeline();
        let lines: Vec<&str> = timeline.lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(lines, ["I am web.1", "not $DYNO", "/bin/sh: 1: nosuch: not found"]);
        assert_eq!(timeline.end, Some((Duration::from_secs(2), 127)));
        assert!(Script::parse(&Command::Argv(vec!["/no/such".to_owned()]), &variable).is_err());
        assert!(Script::parse(&Command::Image, &variable).unwrap().timeline().end.is_none());
    }
}
