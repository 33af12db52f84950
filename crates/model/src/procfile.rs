//! The Procfile: `<process type>: <command>`, a line each (Heroku, "The Procfile").

use crate::name::ProcessType;
use crate::process::{Command, ProcessTable};

/// Largest Procfile, in bytes.
pub const PROCFILE_BYTES_MAX: usize = 64 * 1024;
/// Most entries of a Procfile.
pub const PROCFILE_ENTRIES_MAX: usize = 100;

/// A parsed Procfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procfile {
    entries: Vec<(ProcessType, String)>,
}

/// Why a Procfile was refused. Lines count from one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcfileError {
    /// The file is not text.
    #[error("the Procfile is not UTF-8 text")]
    NotText,
    /// The file is too large.
    #[error("the Procfile is {0} bytes long: at most 65536 are read")]
    TooLarge(usize),
    /// A line has no colon, or nothing on one side of it.
    #[error("Procfile line {line} is `{text}`: write `<process>: <command>`, as in `web: ./server`")]
    Shape {
        /// The line's number.
        line: usize,
        /// The line, cut.
        text: String,
    },
    /// The word before the colon is no process type.
    #[error("Procfile line {line}: `{text}` is no process type: use letters, digits, dashes and underscores")]
    Name {
        /// The line's number.
        line: usize,
        /// The word.
        text: String,
    },
    /// Two lines for one process.
    #[error("Procfile line {line} declares `{process}` a second time: keep one of the lines")]
    Twice {
        /// The second line's number.
        line: usize,
        /// The process.
        process: ProcessType,
    },
    /// Too many entries.
    #[error("the Procfile declares more than 100 processes")]
    TooMany,
    /// Nothing but blanks and comments.
    #[error("the Procfile declares no process: write a line such as `web: ./server`")]
    Empty,
}

impl Procfile {
    /// Parses a Procfile. Blank lines and lines that start with `#` are skipped; Windows line ends are accepted.
    ///
    /// # Errors
    /// Names the line at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProcfileError> {
        if bytes.len() > PROCFILE_BYTES_MAX {
            return Err(ProcfileError::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ProcfileError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut entries: Vec<(ProcessType, String)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (process, command) = parse_line(at + 1, line)?;
            if entries.iter().any(|(seen, _)| *seen == process) {
                return Err(ProcfileError::Twice { line: at + 1, process });
            }
            entries.push((process, command));
        }
        match entries.len() {
            0 => Err(ProcfileError::Empty),
            count if count > PROCFILE_ENTRIES_MAX => Err(ProcfileError::TooMany),
            _ => Ok(Self { entries }),
        }
    }

    /// The process table that the file declares; each command is run by the image's shell.
    #[must_use]
    pub fn process_table(&self) -> ProcessTable {
        self.entries.iter().map(|(process, line)| (process.clone(), Command::Shell(line.clone()).into())).collect()
    }

    /// The declared processes, in the file's order.
    pub fn process_types(&self) -> impl Iterator<Item = &ProcessType> {
        self.entries.iter().map(|(process, _)| process)
    }
}

fn parse_line(number: usize, line: &str) -> Result<(ProcessType, String), ProcfileError> {
    let cut = || line.chars().filter(|c| !c.is_control()).take(60).collect::<String>();
    let shape = || ProcfileError::Shape { line: number, text: cut() };
    let (name, command) = line.split_once(':').ok_or_else(shape)?;
    let (name, command) = (name.trim(), command.trim());
    if name.is_empty() || command.is_empty() || command.contains('\0') {
        return Err(shape());
    }
    let process = ProcessType::parse(name)
        .map_err(|_| ProcfileError::Name { line: number, text: name.chars().take(60).collect() })?;
    Ok((process, command.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_procfile_declares_processes_in_order() {
        let file =
            Procfile::parse(b"# app\r\nweb: node server.js --port $PORT\r\n\r\nworker:  ./work: hard\n").unwrap();
        assert_eq!(file.process_types().map(ProcessType::as_str).collect::<Vec<_>>(), ["web", "worker"]);
        let table = file.process_table();
        assert_eq!(
            table.get(&ProcessType::parse("worker").unwrap()).unwrap().command,
            Command::Shell("./work: hard".into())
        );
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number() {
        let refused = |text: &str| Procfile::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(refused("web: ok\nnothing here"), ProcfileError::Shape { line: 2, .. }));
        assert!(matches!(refused("web:"), ProcfileError::Shape { line: 1, .. }));
        assert!(matches!(refused("a b: x"), ProcfileError::Name { line: 1, .. }));
        assert!(matches!(refused("web: a\nweb: b"), ProcfileError::Twice { line: 2, .. }));
        assert_eq!(refused("# nothing\n"), ProcfileError::Empty);
        assert_eq!(Procfile::parse(&[0xff, 0xfe]), Err(ProcfileError::NotText));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Procfile::parse(&bytes);
        }
    }
}
