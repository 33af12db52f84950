//! The client's half of RFC 6455, as far as a test needs it.

use crate::platform::Platform;
use crate::wire::Wire;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Lengths from here on take two more bytes; a test has no need for longer ones.
const LENGTH_LONG: usize = 126;

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A text.
    Text(String),
    /// That it closes, with this code.
    Close(u16),
    /// Nothing more: the connection ended.
    End,
}

/// A WebSocket through the router.
#[derive(Debug)]
pub struct WebSocket(Wire);

impl WebSocket {
    /// Opens one.
    ///
    /// # Panics
    /// When the app does not agree.
    #[must_use]
    pub fn open(platform: &Platform, app: &str, path: &str) -> Self {
        let mut wire = Wire::open(platform);
        wire.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {app}.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        let answer = wire.head().expect("an answer");
        assert_eq!(answer.status, 101, "{answer:?}");
        // The example of RFC 6455, section 1.3.
        assert!(answer.head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer:?}");
        Self(wire)
    }

    /// Sends a text.
    ///
    /// # Panics
    /// When it is longer than a test should need.
    pub fn send(&mut self, text: &str) {
        assert!(text.len() < LENGTH_LONG, "a short text");
        let length = u8::try_from(text.len()).expect("a short text");
        let mask = [7, 77, 177, 17];
        let mut frame = vec![FINAL | TEXT, MASKED | length];
        frame.extend(mask);
        frame.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.0.send(frame);
    }

    /// What the server says next; its pings are passed over.
    pub fn said(&mut self) -> Said {
        loop {
            let Some(header) = self.0.bytes_or_end(2) else { return Said::End };
            let length = match usize::from(header[1]) {
                LENGTH_LONG => {
                    let long = self.0.bytes(2);
                    usize::from(u16::from_be_bytes([long[0], long[1]]))
                }
                short => short,
            };
            let payload = self.0.bytes(length);
            match header[0] & 0x0f {
                TEXT => return Said::Text(String::from_utf8_lossy(&payload).into_owned()),
                CLOSE => return Said::Close(payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code))),
                _ => {}
            }
        }
    }

    /// The next text.
    ///
    /// # Panics
    /// When the server says something else.
    pub fn text(&mut self) -> String {
        match self.said() {
            Said::Text(text) => text,
            other => panic!("a text is due, not {other:?}"),
        }
    }
}
