//! The only way out: standard output for data, standard error for everything said about it.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};

/// For whom is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// People: tables and sentences.
    Text,
    /// Programs: JSON.
    Json,
}

/// Emphasis, on terminals only.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Emphasis {
    Bad,
    Warning,
    Hint,
    Name(u8),
}

/// Prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    format: Format,
    colour_out: bool,
    colour_err: bool,
    progress: bool,
}

/// The environment variables that decide on colour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ColourWish {
    /// `NO_COLOR` is set and not empty, or `CLICOLOR=0`.
    pub(crate) never: bool,
    /// `CLICOLOR_FORCE` is set and not `0`.
    pub(crate) always: bool,
    /// `TERM=dumb`.
    pub(crate) dumb: bool,
}

impl ColourWish {
    /// From the environment.
    pub(crate) fn from_environment() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            never: set("NO_COLOR").is_some() || set("CLICOLOR").is_some_and(|value| value == "0"),
            always: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: set("TERM").is_some_and(|value| value == "dumb"),
        }
    }

    fn on(self, is_terminal: bool) -> bool {
        !self.never && (self.always || (is_terminal && !self.dumb))
    }
}

impl Printer {
    pub(crate) fn new(format: Format, wish: ColourWish) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self { format, colour_out: wish.on(out), colour_err: wish.on(err), progress: err && !wish.dumb }
    }

    /// Whether programs read what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether somebody watches, so that progress may be shown.
    pub(crate) fn shows_progress(&self) -> bool {
        self.progress
    }

    /// A line of data.
    pub(crate) fn data(&self, line: impl AsRef<str>) -> Outcome {
        self.raw(format!("{}\n", line.as_ref()).as_bytes())
    }

    /// Data as it is.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Outcome {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| output_failure(&error))
    }

    /// Somebody else's error output, as it is.
    pub(crate) fn raw_error(&self, bytes: &[u8]) -> Outcome {
        let mut err = io::stderr().lock();
        err.write_all(bytes).and_then(|()| err.flush()).map_err(|error| output_failure(&error))
    }

    /// A JSON document.
    pub(crate) fn json<T: Serialize + ?Sized>(&self, value: &T) -> Outcome {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::failed(error.to_string()))?;
        self.data(text)
    }

    /// A table; `empty` is said instead, on standard error, when there are no rows.
    pub(crate) fn table(&self, header: &[&str], rows: &[Vec<String>], empty: &str) -> Outcome {
        if rows.is_empty() {
            return self.note(empty);
        }
        self.data(table(header, rows))
    }

    /// Pairs, one a line, with what they are called on the left.
    pub(crate) fn pairs(&self, pairs: &[(&str, String)]) -> Outcome {
        let width = pairs.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
        let lines: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{:<width$}  {value}", format!("{name}:")).trim_end().to_owned())
            .collect();
        self.data(lines.join("\n"))
    }

    /// A sentence about what happens, on standard error.
    pub(crate) fn note(&self, text: impl AsRef<str>) -> Outcome {
        self.raw_error(format!("{}\n", text.as_ref()).as_bytes())
    }

    /// Something that did not go as it should, but did not stop the command.
    pub(crate) fn warn(&self, text: impl AsRef<str>) -> Outcome {
        self.note(format!("{} {}", self.paint_error("warning:", Emphasis::Warning), text.as_ref()))
    }

    /// What to do next.
    pub(crate) fn hint(&self, text: impl AsRef<str>) -> Outcome {
        self.note(format!("{} {}", self.paint_error("hint:", Emphasis::Hint), text.as_ref()))
    }

    /// Why the command failed. Nothing more can be done when this cannot be written.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        let said = self.note(format!("{} {}", self.paint_error("error:", Emphasis::Bad), failure.message));
        for hint in &failure.hints {
            if said.is_ok() {
                let _ = self.hint(hint);
            }
        }
    }

    /// With emphasis, for standard output.
    pub(crate) fn paint(&self, text: &str, emphasis: Emphasis) -> String {
        paint(text, emphasis, self.colour_out)
    }

    fn paint_error(&self, text: &str, emphasis: Emphasis) -> String {
        paint(text, emphasis, self.colour_err)
    }

    /// A spinner with a sentence while something takes its time; a plain line where nobody watches.
    pub(crate) fn spinner(&self, text: &str) -> Outcome<Spinner> {
        if !self.progress {
            self.note(format!("{text}..."))?;
            return Ok(Spinner { bar: None });
        }
        let bar = indicatif::ProgressBar::new_spinner().with_message(format!("{text}..."));
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Ok(Spinner { bar: Some(bar) })
    }
}

/// Turns until it is dropped.
#[derive(Debug)]
pub(crate) struct Spinner {
    bar: Option<indicatif::ProgressBar>,
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn paint(text: &str, emphasis: Emphasis, colour: bool) -> String {
    if !colour {
        return text.to_owned();
    }
    let code = match emphasis {
        Emphasis::Bad => "1;31".to_owned(),
        Emphasis::Warning => "33".to_owned(),
        Emphasis::Hint => "36".to_owned(),
        Emphasis::Name(number) => format!("{}", 31 + number % 6),
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    table.set_header(header.to_vec());
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Control characters would break the table, and could steer the terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn output_failure(error: &io::Error) -> Failure {
    match error.kind() {
        // Who reads has had enough: `ambo logs | head`.
        io::ErrorKind::BrokenPipe => Failure::quiet(Exit::Ok),
        _ => Failure::io("cannot write the output", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_without_borders() {
        let rows = vec![vec!["web.1".to_owned(), "up".to_owned()], vec!["worker.10".to_owned(), "a\nb".to_owned()]];
        insta::assert_snapshot!(table(&["NAME", "STATE"], &rows), @r"
        NAME       STATE
        web.1      up
        worker.10  a b
        ");
    }

    #[test]
    fn colour_follows_the_wish_before_the_terminal() {
        let wish = |never, always, dumb| ColourWish { never, always, dumb };
        assert!(wish(false, false, false).on(true));
        assert!(!wish(false, false, false).on(false));
        assert!(!wish(true, true, false).on(true), "NO_COLOR wins");
        assert!(wish(false, true, false).on(false));
        assert!(!wish(false, false, true).on(true));
    }
}
