//! A build's output, in Heroku's manner: headings, details indented by seven spaces, problems marked.

use ambo_model::{ByteSize, Secret};

use crate::port::BuildOutput;

/// Longest line that is passed on, in characters.
pub(crate) const LINE_CHARS_MAX: usize = 1000;
/// Shortest build argument that is hidden. Shorter ones hide nothing and would tear ordinary text apart.
const HIDDEN_CHARS_MIN: usize = 4;

/// Hides the values of build arguments: BuildKit writes them into the names of its steps.
#[derive(Debug, Default)]
pub(crate) struct Mask(Vec<(Secret, String)>);

impl Mask {
    /// Hides each line of each value behind `[NAME]`.
    pub(crate) fn new<'a>(arguments: impl Iterator<Item = (&'a String, &'a Secret)>) -> Self {
        let mut hidden: Vec<(Secret, String)> = Vec::new();
        for (name, value) in arguments {
            let lines = value.reveal().lines().map(str::trim).filter(|line| line.chars().count() >= HIDDEN_CHARS_MIN);
            hidden.extend(lines.map(|line| (Secret::new(line), format!("[{name}]"))));
        }
        hidden.sort_by_key(|(value, _)| std::cmp::Reverse(value.reveal().len()));
        Self(hidden)
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.0 {
            if text.contains(value.reveal()) {
                text = text.replace(value.reveal(), name);
            }
        }
        text
    }
}

/// Writes the output, within a cap.
#[derive(Debug)]
pub(crate) struct Printer {
    to: BuildOutput,
    left: u64,
    cap: u64,
    cut: bool,
    mask: Mask,
}

impl Printer {
    pub(crate) fn new(to: BuildOutput, cap: u64) -> Self {
        Self { to, left: cap, cap, cut: false, mask: Mask::default() }
    }

    pub(crate) fn mask_set(&mut self, mask: Mask) {
        self.mask = mask;
    }

    pub(crate) fn masked(&self, text: &str) -> String {
        self.mask.apply(text)
    }

    /// What is done now.
    pub(crate) async fn heading(&mut self, text: &str) {
        self.send(format!("-----> {}", self.mask.apply(text))).await;
    }

    /// What the user should look at.
    pub(crate) async fn problem(&mut self, text: &str) {
        self.send(format!(" !     {}", self.mask.apply(text))).await;
    }

    /// Everything else; the only lines that count towards the cap.
    pub(crate) async fn detail(&mut self, text: &str) {
        let line = format!("       {}", shorten(&self.mask.apply(text), LINE_CHARS_MAX));
        let length = line.len() as u64 + 1;
        if length <= self.left && !self.cut {
            self.left -= length;
            self.send(line).await;
        } else if !self.cut {
            self.cut = true;
            let cap = ByteSize::bytes(self.cap);
            self.problem(&format!("the output is longer than {cap}: the rest of it is not shown, the build goes on"))
                .await;
        }
    }

    /// A closed receiver is no error: nobody listens, the build goes on.
    async fn send(&mut self, line: String) {
        let _ = self.to.send(line.trim_end().to_owned()).await;
    }
}

/// Cuts a text, and says how much is missing.
pub(crate) fn shorten(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}… ({} more bytes)", &text[..at], text.len() - at),
    }
}

/// Makes lines of a program's raw output: carriage returns overwrite, as on a terminal; control sequences are dropped;
/// a line without end costs no more memory than a long one.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    line: Vec<u8>,
    dropped: usize,
    returned: bool,
}

/// Longest line that is held, in bytes: enough for the longest that is passed on.
const LINE_BYTES_MAX: usize = LINE_CHARS_MAX * 4;

impl LineBuffer {
    /// Takes bytes in, gives the lines that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => lines.push(self.take()),
                b'\r' => self.returned = true,
                byte => {
                    if std::mem::take(&mut self.returned) {
                        self.line.clear();
                        self.dropped = 0;
                    }
                    if self.line.len() < LINE_BYTES_MAX {
                        self.line.push(*byte);
                    } else {
                        self.dropped += 1;
                    }
                }
            }
        }
        lines
    }

    /// The line that has no end yet, if any.
    pub(crate) fn finish(&mut self) -> Option<String> {
        Some(self.take()).filter(|line| !line.trim().is_empty())
    }

    fn take(&mut self) -> String {
        self.returned = false;
        let line = printable(&String::from_utf8_lossy(&std::mem::take(&mut self.line)));
        match std::mem::take(&mut self.dropped) {
            0 => line,
            dropped => format!("{} ({dropped} more bytes)", shorten(&line, LINE_CHARS_MAX / 2)),
        }
    }
}

/// Drops terminal control sequences (ECMA-48, section 5.4) and control characters; tabs stay.
fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next_if_eq(&'[').is_some() {
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            } else {
                chars.next();
            }
        } else if c == '\t' || !c.is_control() {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::*;

    fn lines(chunks: &[&str]) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        let mut lines: Vec<String> = chunks.iter().flat_map(|chunk| buffer.push(chunk.as_bytes())).collect();
        lines.extend(buffer.finish());
        lines
    }

    #[test]
    fn carriage_returns_overwrite_and_colours_go() {
        assert_eq!(
            lines(&["a\r\nb", "c\n10%\r20%\r", "30%\n\u{1b}[32mok\u{1b}[0m\x07\tx"]),
            ["a", "bc", "30%", "ok\tx"]
        );
        assert_eq!(lines(&["done\r", "\nnext"]), ["done", "next"], "a line end may come in two pieces");
    }

    #[test]
    fn an_endless_line_is_cut_and_costs_no_memory() {
        let mut buffer = LineBuffer::default();
        for _ in 0..10_000 {
            assert!(buffer.push(&[b'x'; 1024]).is_empty());
        }
        assert!(buffer.line.capacity() <= 2 * LINE_BYTES_MAX);
        let line = buffer.finish().unwrap();
        assert!(line.len() < 1000 && line.contains("more bytes)"), "{line}");
    }

    #[tokio::test]
    async fn output_stops_at_the_cap_but_headings_go_on() {
        let (to, mut from) = mpsc::channel(100);
        let mut printer = Printer::new(to, 40);
        printer.heading("one").await;
        for _ in 0..5 {
            printer.detail("0123456789").await;
        }
        printer.heading("two").await;
        drop(printer);
        let mut seen = Vec::new();
        while let Some(line) = from.recv().await {
            seen.push(line);
        }
        assert_eq!(seen[..3], ["-----> one", "       0123456789", "       0123456789"]);
        assert!(seen[3].starts_with(" !     the output is longer than 40B"), "{seen:?}");
        assert_eq!(seen[4..], ["-----> two"]);
    }

    #[tokio::test]
    async fn the_values_of_build_arguments_are_hidden_line_by_line() {
        let (to, mut from) = mpsc::channel(100);
        let mut printer = Printer::new(to, 4000);
        let arguments = [
            ("TOKEN".to_owned(), Secret::new("s3cret")),
            ("KEY".to_owned(), Secret::new("line one\nline two")),
            ("N".to_owned(), Secret::new("1")),
        ];
        printer.mask_set(Mask::new(arguments.iter().map(|(name, value)| (name, value))));
        printer.detail("RUN login s3cret && echo line two 1").await;
        assert_eq!(from.recv().await.unwrap(), "       RUN login [TOKEN] && echo [KEY] 1");
    }

    proptest! {
        #[test]
        fn lines_hold_no_control_characters(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut buffer = LineBuffer::default();
            for line in buffer.push(&bytes).into_iter().chain(buffer.finish()) {
                prop_assert!(line.chars().all(|c| c == '\t' || !c.is_control()));
            }
        }
    }
}
