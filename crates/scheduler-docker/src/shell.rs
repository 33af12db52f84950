//! A Procfile line as the shell gets it: so that SIGTERM reaches the programs in it, and they come to finish what they do.
//!
//! A shell that waits for a program dies of SIGTERM at once, and the instance ends with it. A line that is one plain command
//! replaces the shell instead, which also saves its memory; before any other line the shell is told to wait. The init
//! program hands the signal to everybody ([`SIGNAL_ALL`]).

use ambo_scheduler::TerminalSize;

/// Makes Docker's init program hand signals to all of an instance's programs, not to the first alone.
pub(crate) const SIGNAL_ALL: &str = "TINI_KILL_PROCESS_GROUP";
/// Tells the shell to let its programs end first.
const WAIT_ON_SIGTERM: &str = "trap 'wait; exit 143' TERM\n";
/// What makes more than one plain command of a line, or one that `exec` would read differently.
const NOT_PLAIN: &str = ";&|()<>`\\\n";
/// First words that are the shell's own.
const BUILTINS: [&str; 46] = [
    ".", ":", "alias", "bg", "break", "case", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "for", "function", "getopts", "hash", "if", "jobs", "kill", "local", "printf", "pwd", "read",
    "readonly", "return", "select", "set", "shift", "source", "test", "time", "times", "trap", "true", "type",
    "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
];

/// What `/bin/sh -c` is given for a Procfile line.
pub(crate) fn script(line: &str) -> String {
    if is_plain(line) { format!("exec {}", line.trim()) } else { format!("{WAIT_ON_SIGTERM}{line}") }
}

/// The same on a terminal: the engine gives a terminal its size only when the program runs, which has asked for it by then.
pub(crate) fn sized(script: String, terminal: Option<TerminalSize>) -> String {
    match terminal {
        Some(TerminalSize { columns, rows }) => format!("stty columns {columns} rows {rows} 2>/dev/null\n{script}"),
        None => script,
    }
}

/// Whether the line is one command that names its program outright.
fn is_plain(line: &str) -> bool {
    let Some(program) = line.split_whitespace().next() else { return false };
    let names_it = program.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.')
        && program.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c));
    names_it && !line.contains(|c: char| NOT_PLAIN.contains(c)) && !BUILTINS.contains(&program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_command_replaces_the_shell() {
        for line in ["node server.js", "./bin/web --port $PORT", " python3 -m http.server \"${PORT}\" ", "/bin/app"] {
            assert_eq!(script(line), format!("exec {}", line.trim()));
        }
    }

    #[test]
    fn any_other_line_has_a_shell_that_waits() {
        let lines = [
            "cd app && node server.js",
            "a | b",
            "A=1 node x",
            "exec node x",
            "echo hi",
            "$CMD x",
            "node x &",
            "a\nb",
            "while true; do x; done",
            "(a)",
            "a > b",
            "'my app'",
            "",
            "eval x",
        ];
        for line in lines {
            assert_eq!(script(line), format!("trap 'wait; exit 143' TERM\n{line}"));
        }
    }
}
