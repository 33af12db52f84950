//! Telling a build's output from the trailer behind it.

use bytes::{Bytes, BytesMut};

use crate::types::{BUILD_TRAILER_MARK, BuildTrailer};

/// Longest trailer, in bytes.
pub const BUILD_TRAILER_BYTES_MAX: usize = 64 * 1024;

/// Takes the pieces of an answer; output comes out at once, the trailer at the end.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    output: Bytes,
    trailer: Option<BytesMut>,
    done: bool,
}

impl Splitter {
    /// # Errors
    /// When the trailer is too long to be one.
    pub(super) fn push(&mut self, mut piece: Bytes) -> Result<(), &'static str> {
        if let Some(trailer) = &mut self.trailer {
            trailer.extend_from_slice(&piece);
        } else if let Some(mark) = piece.iter().position(|byte| *byte == BUILD_TRAILER_MARK) {
            let trailer = piece.split_off(mark);
            self.trailer = Some(BytesMut::from(&trailer[1..]));
            self.output = piece;
        } else {
            self.output = piece;
        }
        let too_long = self.trailer.as_ref().is_some_and(|trailer| trailer.len() > BUILD_TRAILER_BYTES_MAX);
        if too_long { Err("the trailer of the build's output is too long") } else { Ok(()) }
    }

    /// Output that has not been taken yet.
    pub(super) fn output(&mut self) -> Option<Bytes> {
        if self.output.is_empty() { None } else { Some(std::mem::take(&mut self.output)) }
    }

    /// The trailer, when the answer has ended; `None` when it was cut off.
    pub(super) fn trailer(&mut self) -> Option<BuildTrailer> {
        self.done = true;
        BuildTrailer::decode(self.trailer.as_ref()?).ok()
    }

    /// Whether the trailer has been asked for.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::BuildOutcome;

    fn split(pieces: &[&'static [u8]]) -> (Vec<u8>, Option<BuildTrailer>) {
        let (mut splitter, mut output) = (Splitter::default(), Vec::new());
        for piece in pieces {
            splitter.push(Bytes::from_static(piece)).unwrap();
            output.extend(splitter.output().unwrap_or_default());
        }
        (output, splitter.trailer())
    }

    #[test]
    fn output_and_trailer_are_told_apart_wherever_the_pieces_end() {
        let whole: &'static [u8] =
            b"-----> Building\n\0{\"status\":\"succeeded\",\"build\":null,\"release\":3,\"url\":null}\n";
        for cut in 0..whole.len() {
            let (output, trailer) = split(&[&whole[..cut], &whole[cut..]]);
            assert_eq!(output, b"-----> Building\n", "cut at {cut}");
            let trailer = trailer.unwrap();
            assert_eq!((trailer.status, trailer.release), (BuildOutcome::Succeeded, Some(3)), "cut at {cut}");
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_has_no_trailer() {
        assert_eq!(split(&[b"-----> Building\n"]).1, None);
        assert_eq!(split(&[b"x\0{\"status\":\"succ"]).1, None);
    }

    #[test]
    fn an_endless_trailer_is_refused() {
        let mut splitter = Splitter::default();
        let long = Bytes::from(vec![0; BUILD_TRAILER_BYTES_MAX + 2]);
        assert!(splitter.push(long).is_err());
    }
}
