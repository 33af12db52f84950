//! The line by which Heroku's client learns how a program ended, kept in one piece.
//!
//! With `--exit-code` the client adds `; echo "\u{FFFF} heroku-command-exit-status: $?"` to the command and looks for that line
//! in each piece of output by itself: a line that comes in two pieces is not found, and the client fails. It also hides the
//! line only where a piece begins with it. So the line is a piece of its own, whatever pieces the program's output comes in.

use bytes::{Bytes, BytesMut};

/// What the line begins with; U+FFFF stands first and in no text that people write.
const MARK: &[u8] = b"\xEF\xBF\xBF heroku-command-exit-status: ";
/// Most digits of an exit code.
const DIGITS_MAX: usize = 10;

/// Cuts output so that the line stays whole. Holds back what may be its beginning, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Sentinel {
    held: BytesMut,
}

#[derive(Debug, PartialEq, Eq)]
enum Looks {
    /// The line, this many bytes of it.
    Whole(usize),
    /// As far as it goes.
    Begun,
    Other,
}

impl Sentinel {
    /// Takes output in; gives the pieces that can be written, each in one go.
    pub(crate) fn pieces(&mut self, data: &[u8]) -> Vec<Bytes> {
        self.held.extend_from_slice(data);
        let mut pieces = Vec::new();
        let mut from = 0;
        while let Some(at) = memchr::memchr(MARK[0], &self.held[from..]).map(|found| from + found) {
            match looks(&self.held[at..]) {
                Looks::Other => from = at + 1,
                Looks::Begun => {
                    push(&mut pieces, self.held.split_to(at));
                    return pieces;
                }
                Looks::Whole(length) => {
                    push(&mut pieces, self.held.split_to(at));
                    push(&mut pieces, self.held.split_to(length));
                    from = 0;
                }
            }
        }
        push(&mut pieces, self.held.split());
        pieces
    }

    /// What is still held back when the output has ended.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        (!self.held.is_empty()).then(|| self.held.split().freeze())
    }
}

fn push(pieces: &mut Vec<Bytes>, piece: BytesMut) {
    if !piece.is_empty() {
        pieces.push(piece.freeze());
    }
}

/// What text that begins with the first byte of the mark looks like.
fn looks(text: &[u8]) -> Looks {
    let Some(after) = text.strip_prefix(MARK) else {
        return if MARK.starts_with(text) { Looks::Begun } else { Looks::Other };
    };
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > DIGITS_MAX {
        return Looks::Other;
    }
    let length = MARK.len() + digits;
    match &after[digits..] {
        [] | [b'\r'] => Looks::Begun,
        [b'\n', ..] if digits > 0 => Looks::Whole(length + 1),
        [b'\r', b'\n', ..] if digits > 0 => Looks::Whole(length + 2),
        _ => Looks::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(end: &str) -> Vec<u8> {
        format!("\u{FFFF} heroku-command-exit-status: 42{end}").into_bytes()
    }

    fn cut(pieces: &[&[u8]]) -> Vec<Bytes> {
        let mut sentinel = Sentinel::default();
        let mut cut: Vec<Bytes> = pieces.iter().flat_map(|piece| sentinel.pieces(piece)).collect();
        cut.extend(sentinel.rest());
        cut
    }

    #[test]
    fn the_line_is_a_piece_of_its_own_however_it_comes() {
        for end in ["\n", "\r\n", ""] {
            let line = line(end);
            let whole = [b"before".as_slice(), &line].concat();
            for at in 0..whole.len() {
                assert_eq!(cut(&[&whole[..at], &whole[at..]]).last().unwrap(), &line, "cut at {at}");
            }
            let single: Vec<&[u8]> = whole.chunks(1).collect();
            assert_eq!(cut(&single).last().unwrap(), &line);
        }
    }

    #[test]
    fn other_text_is_not_held_back() {
        let mut sentinel = Sentinel::default();
        let others = ["plain", "！full width", "\u{FFFF} heroku-command-exit-status: x", "\u{FFFF}\n"];
        for text in others {
            assert_eq!(sentinel.pieces(text.as_bytes()).concat(), text.as_bytes());
            assert_eq!(sentinel.rest(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_moved(text in proptest::collection::vec(
            prop_oneof![Just(line("\n")), Just(b"\xEF\xBF".to_vec()), proptest::collection::vec(any::<u8>(), 0..9)], 0..9),
            size in 1..20_usize)
        {
            let all = text.concat();
            let pieces: Vec<&[u8]> = all.chunks(size).collect();
            prop_assert_eq!(cut(&pieces).concat(), all);
        }
    }
}
