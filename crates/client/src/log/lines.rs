//! Lines out of the pieces in which a stream arrives.

use bytes::{Buf as _, BytesMut};

/// Longest line that is kept whole, in bytes; a longer one is cut into several.
pub const LOG_LINE_BYTES_MAX: usize = 64 * 1024;

/// Takes pieces, gives lines without their ends.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: BytesMut,
}

impl Lines {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// The next whole line.
    pub(super) fn next(&mut self) -> Option<String> {
        match self.pending.iter().take(LOG_LINE_BYTES_MAX).position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = self.pending.split_to(end);
                self.pending.advance(1);
                Some(text(&line))
            }
            None if self.pending.len() >= LOG_LINE_BYTES_MAX => Some(text(&self.pending.split_to(LOG_LINE_BYTES_MAX))),
            None => None,
        }
    }

    /// What is left when the stream has ended without a line end.
    pub(super) fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        if rest.is_empty() { None } else { Some(text(&rest)) }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_arrive_in_pieces() {
        let mut lines = Lines::default();
        lines.push(b"on");
        assert_eq!(lines.next(), None);
        lines.push("e\r\ntw\u{f6}\nrest".as_bytes());
        assert_eq!(lines.next().as_deref(), Some("one"));
        assert_eq!(lines.next().as_deref(), Some("tw\u{f6}"));
        assert_eq!(lines.next(), None);
        assert_eq!(lines.finish().as_deref(), Some("rest"));
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LOG_LINE_BYTES_MAX + 3]);
        assert_eq!(lines.next().map(|line| line.len()), Some(LOG_LINE_BYTES_MAX));
        assert_eq!(lines.finish().as_deref(), Some("xxx"));
    }
}
