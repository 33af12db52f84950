//! The binary frames of the WebSocket behind `attach_url`.
//!
//! From the client: first byte 0 = input, 1 = the terminal's new size (columns, rows; 16 bits each, big-endian),
//! 2 = end of input. From the server: 1 = standard output, 2 = standard error, 3 = exit code (32 bits, big-endian), after
//! which the server closes.

use std::fmt;

use crate::dyno::TerminalSize;

/// Most bytes of a frame's data.
pub const ATTACH_DATA_BYTES_MAX: usize = 64 * 1024;

const INPUT: u8 = 0;
const RESIZE: u8 = 1;
const INPUT_END: u8 = 2;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const EXIT: u8 = 3;

/// What the client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachInput<'a> {
    /// Bytes for the program's standard input.
    Data(&'a [u8]),
    /// The terminal has a new size.
    Resize(TerminalSize),
    /// There is no more input.
    End,
}

/// What the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachOutput<'a> {
    /// Bytes from standard output; with a terminal, everything.
    Stdout(&'a [u8]),
    /// Bytes from standard error.
    Stderr(&'a [u8]),
    /// The program has ended. The last frame.
    Exit(i32),
}

/// A frame that is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachFrameError;

impl fmt::Display for AttachFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the frame is none of the attach protocol's: client and server may be of different versions")
    }
}

impl std::error::Error for AttachFrameError {}

fn tagged(tag: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(1 + data.len());
    frame.push(tag);
    frame.extend_from_slice(data);
    frame
}

impl<'a> AttachInput<'a> {
    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            AttachInput::Data(data) => tagged(INPUT, data),
            AttachInput::Resize(TerminalSize { columns, rows }) => {
                let [c0, c1] = columns.to_be_bytes();
                let [r0, r1] = rows.to_be_bytes();
                tagged(RESIZE, &[c0, c1, r0, r1])
            }
            AttachInput::End => tagged(INPUT_END, &[]),
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn decode(frame: &'a [u8]) -> Result<Self, AttachFrameError> {
        match frame {
            [INPUT, data @ ..] => Ok(Self::Data(data)),
            [RESIZE, c0, c1, r0, r1] => {
                let (columns, rows) = (u16::from_be_bytes([*c0, *c1]), u16::from_be_bytes([*r0, *r1]));
                Ok(Self::Resize(TerminalSize { columns, rows }))
            }
            [INPUT_END] => Ok(Self::End),
            _ => Err(AttachFrameError),
        }
    }
}

impl<'a> AttachOutput<'a> {
    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            AttachOutput::Stdout(data) => tagged(STDOUT, data),
            AttachOutput::Stderr(data) => tagged(STDERR, data),
            AttachOutput::Exit(code) => tagged(EXIT, &code.to_be_bytes()),
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn decode(frame: &'a [u8]) -> Result<Self, AttachFrameError> {
        match frame {
            [STDOUT, data @ ..] => Ok(Self::Stdout(data)),
            [STDERR, data @ ..] => Ok(Self::Stderr(data)),
            [EXIT, a, b, c, d] => Ok(Self::Exit(i32::from_be_bytes([*a, *b, *c, *d]))),
            _ => Err(AttachFrameError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        for input in [
            AttachInput::Data(b"ls\n"),
            AttachInput::Data(b""),
            AttachInput::Resize(TerminalSize { columns: 300, rows: 25 }),
            AttachInput::End,
        ] {
            assert_eq!(AttachInput::decode(&input.encode()), Ok(input));
        }
        for output in [AttachOutput::Stdout(b"x"), AttachOutput::Stderr(b"y"), AttachOutput::Exit(-1)] {
            assert_eq!(AttachOutput::decode(&output.encode()), Ok(output));
        }
        assert_eq!(AttachInput::Resize(TerminalSize { columns: 258, rows: 3 }).encode(), [1, 1, 2, 0, 3]);
    }

    #[test]
    fn other_frames_are_refused() {
        for bad in [&[][..], &[9], &[1, 0, 80], &[2, 0]] {
            assert_eq!(AttachInput::decode(bad), Err(AttachFrameError), "{bad:?}");
        }
        for bad in [&[][..], &[0, 1], &[3, 0, 0, 0]] {
            assert_eq!(AttachOutput::decode(bad), Err(AttachFrameError), "{bad:?}");
        }
    }
}
