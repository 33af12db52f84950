//! Bytes to lines.

use ambo_model::log::LOG_LINE_BYTES_MAX;

use crate::safe_text::{pieces, safe};

/// Turns chunks of output into lines of at most [`LOG_LINE_BYTES_MAX`] bytes, safe to print.
///
/// Keeps no more than one line, however long a line without an end becomes: it comes out in pieces. What is no UTF-8
/// is replaced.
#[derive(Debug, Default)]
pub struct LineSplitter {
    /// The begun line; never more than the longest line and a carriage return.
    begun: Vec<u8>,
}

impl LineSplitter {
    /// A splitter at the start of a line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a chunk; gives the lines that it completes.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..end], &mut lines);
            line_end(std::mem::take(&mut self.begun), &mut lines);
            rest = &rest[end + 1..];
        }
        self.extend(rest, &mut lines);
        lines
    }

    /// The end of the output; gives the line that had no end, if any.
    pub fn finish(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.begun.is_empty() {
            line_end(std::mem::take(&mut self.begun), &mut lines);
        }
        lines
    }

    /// Adds to the begun line and gives pieces of it once it is too long.
    fn extend(&mut self, mut bytes: &[u8], lines: &mut Vec<String>) {
        // One byte more than a line holds may be the carriage return before its end.
        const HELD_BYTES_MAX: usize = LOG_LINE_BYTES_MAX + 1;
        loop {
            let taken = bytes.len().min(HELD_BYTES_MAX + 1 - self.begun.len());
            self.begun.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.begun.len() <= HELD_BYTES_MAX {
                return;
            }
            let left = self.begun.split_off(cut(&self.begun));
            text_push(&std::mem::replace(&mut self.begun, left), lines);
        }
    }
}

fn line_end(mut line: Vec<u8>, lines: &mut Vec<String>) {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    text_push(&line, lines);
}

/// Replacements may make the text longer than its bytes were, so it may need cutting again.
fn text_push(line: &[u8], lines: &mut Vec<String>) {
    let text = String::from_utf8_lossy(line);
    lines.extend(pieces(&safe(&text)).map(str::to_owned));
}

/// Where to cut a line that is too long: between two characters.
fn cut(line: &[u8]) -> usize {
    let is_continuation = |index: usize| line[index] & 0b1100_0000 == 0b1000_0000;
    // A character has at most three continuation bytes; what has more is no UTF-8.
    (LOG_LINE_BYTES_MAX - 3..=LOG_LINE_BYTES_MAX)
        .rev()
        .find(|index| !is_continuation(*index))
        .unwrap_or(LOG_LINE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::new();
        let mut lines: Vec<String> = chunks.iter().flat_map(|chunk| splitter.push(chunk)).collect();
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_are_joined_across_chunks() {
        assert_eq!(split(&[b"on", b"e\ntwo\r", b"\n", b"\n", b"three"]), ["one", "two", "", "three"]);
        assert_eq!(split(&[b""]), Vec::<String>::new());
        assert_eq!(split(&[b"\r\n"]), [""]);
    }

    #[test]
    fn a_character_split_between_chunks_is_whole() {
        assert_eq!(split(&[b"gr\xC3", b"\xB6\xC3\x9Fe\n"]), ["größe"]);
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        assert_eq!(split(&[b"a\xFFb\0c\n"]), ["a\u{FFFD}b\u{FFFD}c"]);
        let replaced = split(&[&vec![0xFF; LOG_LINE_BYTES_MAX], b"\n"]);
        assert_eq!(replaced.concat(), "\u{FFFD}".repeat(LOG_LINE_BYTES_MAX));
        assert!(replaced.iter().all(|line| line.len() <= LOG_LINE_BYTES_MAX));
    }

    #[test]
    fn a_line_of_the_greatest_length_is_one_line() {
        let line = vec![b'x'; LOG_LINE_BYTES_MAX];
        assert_eq!(split(&[&line, b"\r", b"\nnext\n"]).len(), 2);
        assert_eq!(split(&[&line, b"\n"]).len(), 1);
        assert_eq!(split(&[&line, b"x\n"]).iter().map(String::len).collect::<Vec<_>>(), [LOG_LINE_BYTES_MAX, 1]);
        assert_eq!(split(&[&line, &line, b"\n"]).len(), 2);
    }

    #[test]
    fn ten_megabytes_without_an_end_are_held_a_line_at_a_time() {
        let mut splitter = LineSplitter::new();
        let chunk = "äb".repeat(1000);
        let mut bytes = 0;
        for _ in 0..3500 {
            for line in splitter.push(chunk.as_bytes()) {
                assert!(line.len() <= LOG_LINE_BYTES_MAX);
                assert!(!line.contains('\u{FFFD}'), "a character was cut");
                bytes += line.len();
            }
            assert!(splitter.begun.capacity() <= 4 * LOG_LINE_BYTES_MAX);
        }
        bytes += splitter.finish().iter().map(String::len).sum::<usize>();
        assert_eq!(bytes, 3500 * chunk.len());
    }

    proptest! {
        #[test]
        fn how_output_is_chunked_does_not_matter(output in prop::collection::vec(any::<u8>(), 0..200), at in prop::collection::vec(0..200_usize, 0..6)) {
            let mut at: Vec<usize> = at.into_iter().map(|at| at.min(output.len())).chain([0, output.len()]).collect();
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|ends| &output[ends[0]..ends[1]]).collect();
            prop_assert_eq!(split(&chunks), split(&[&output]));
        }
    }
}
