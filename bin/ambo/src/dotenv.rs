//! Config as a `.env` file. What is written is read back the same, whatever it holds; files that people wrote by hand
//! are read as shells would: `export`, comments, bare, single and double quotes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A line that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct DotenvError {
    /// Counted from one.
    line: usize,
    /// What is wrong.
    what: &'static str,
}

/// Writes one assignment a variable. Values of several lines stay on one, with `\n`.
pub(crate) fn write(config: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in config {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{key}={}", quoted(value));
    }
    text
}

fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            // Programs that expand variables in these files would do so with a bare `$`.
            '"' | '\\' | '$' | '`' => text.extend(['\\', c]),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// Reads a file.
pub(crate) fn read(text: &str) -> Result<BTreeMap<String, String>, DotenvError> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut config = BTreeMap::new();
    while reader.skip_to_assignment() {
        let key = reader.key()?;
        let value = reader.value()?;
        config.insert(key, value);
    }
    Ok(config)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn error(&self, what: &'static str) -> DotenvError {
        DotenvError { line: self.line, what }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.rest.starts_with(&wanted) {
            self.take();
        }
    }

    /// Over empty lines, comments and `export`; whether anything follows.
    fn skip_to_assignment(&mut self) -> bool {
        loop {
            self.skip_while(char::is_whitespace);
            if self.rest.starts_with('#') {
                self.skip_while(|c| c != '\n');
            } else if let Some(rest) = self.rest.strip_prefix("export ") {
                self.rest = rest;
            } else {
                return !self.rest.is_empty();
            }
        }
    }

    fn key(&mut self) -> Result<String, DotenvError> {
        let line_end = self.rest.find('\n').unwrap_or(self.rest.len());
        let Some(at) = self.rest[..line_end].find('=') else { return Err(self.error("write it as `KEY=value`")) };
        let key = self.rest[..at].trim();
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
            return Err(self.error("there is no variable's name before the `=`"));
        }
        let key = key.to_owned();
        self.rest = &self.rest[at + 1..];
        Ok(key)
    }

    fn value(&mut self) -> Result<String, DotenvError> {
        self.skip_while(|c| c == ' ' || c == '\t');
        let value = match self.rest.chars().next() {
            Some('"') => self.double_quoted()?,
            Some('\'') => self.single_quoted()?,
            _ => return Ok(self.bare()),
        };
        self.skip_while(|c| c == ' ' || c == '\t' || c == '\r');
        match self.rest.chars().next() {
            None | Some('\n' | '#') => {
                self.skip_while(|c| c != '\n');
                Ok(value)
            }
            Some(_) => Err(self.error("there is more behind the closing quote")),
        }
    }

    /// Up to the end of the line, or a comment.
    fn bare(&mut self) -> String {
        let line_end = self.rest.find('\n').unwrap_or(self.rest.len());
        let line = &self.rest[..line_end];
        let end = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line_end);
        let value = if line.starts_with('#') { "" } else { line[..end].trim() };
        self.rest = &self.rest[line_end..];
        value.to_owned()
    }

    fn single_quoted(&mut self) -> Result<String, DotenvError> {
        let start = self.error("the quote is never closed");
        self.take();
        let mut value = String::new();
        loop {
            match self.take() {
                Some('\'') => return Ok(value),
                Some(c) => value.push(c),
                None => return Err(start),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, DotenvError> {
        let start = self.error("the quote is never closed");
        self.take();
        let mut value = String::new();
        loop {
            match self.take() {
                Some('"') => return Ok(value),
                Some('\\') => match self.take() {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(c @ ('"' | '\\' | '$' | '`')) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                    None => return Err(start),
                },
                Some(c) => value.push(c),
                None => return Err(start),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Result<String, DotenvError> {
        read(text).map(|config| config.into_values().next().unwrap())
    }

    #[test]
    fn what_people_write_by_hand_is_read() {
        let text = "\u{feff}# comment\n\nexport A=1\r\nB = two words # said\nC='it\\n$x'\nD=\"a\\nb\"\nE=\nF=a#b\nG=\"x\ny\"  # end\nH=ünï";
        let config = read(text).unwrap();
        let pairs: Vec<(&str, &str)> = config.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C", "it\\n$x"),
                ("D", "a\nb"),
                ("E", ""),
                ("F", "a#b"),
                ("G", "x\ny"),
                ("H", "ünï")
            ]
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_line() {
        assert_eq!(one("A=1\nwhat\n").unwrap_err().to_string(), "line 2: write it as `KEY=value`");
        assert_eq!(one("A=\"x\ny").unwrap_err().to_string(), "line 1: the quote is never closed");
        assert_eq!(one("A='x' y").unwrap_err().to_string(), "line 1: there is more behind the closing quote");
        assert_eq!(one("=x").unwrap_err().to_string(), "line 1: there is no variable's name before the `=`");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(config in proptest::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,9}", any::<String>(), 0..6)) {
            prop_assert_eq!(read(&write(&config)).unwrap(), config);
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}
