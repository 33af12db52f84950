//! A client that writes every byte itself: what curl would not send, and what it would not show.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::http::Answer;
use crate::platform::Platform;
use crate::wait::DEADLINE;

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// A connection to the router.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Read, and not yet asked for.
    ahead: Vec<u8>,
}

impl Wire {
    /// Connects to a platform's router.
    ///
    /// # Panics
    /// When it does not accept.
    #[must_use]
    pub fn open(platform: &Platform) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", platform.http_port())).expect("the router accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, ahead: Vec::new() }
    }

    /// Sends bytes. That nobody takes them shows in the answer.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Leaves without a word.
    pub fn leave(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Everything up to and with a text; `None` when the connection ends before it.
    ///
    /// # Panics
    /// When nothing comes in time.
    pub fn until(&mut self, text: &str) -> Option<String> {
        let end = loop {
            let found = self.ahead.windows(text.len()).position(|window| window == text.as_bytes());
            match found {
                Some(at) => break at + text.len(),
                None if !self.more() => return None,
                None => {}
            }
        };
        Some(self.taken(end))
    }

    /// So many bytes.
    ///
    /// # Panics
    /// When the connection ends before.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        self.bytes_or_end(count).unwrap_or_else(|| panic!("the connection ended before {count} bytes"))
    }

    /// So many bytes; `None` when the connection ends before.
    pub fn bytes_or_end(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            if !self.more() {
                return None;
            }
        }
        Some(self.ahead.drain(..count).collect())
    }

    /// Everything until the connection ends.
    ///
    /// # Panics
    /// When it does not.
    pub fn rest(&mut self) -> String {
        while self.more() {}
        self.taken(self.ahead.len())
    }

    /// An answer with a `Content-Length` or without a body; `None` when the connection ended instead.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.head()?;
        let length = answer.head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        answer.body = String::from_utf8_lossy(&self.bytes(length.unwrap_or(0))).into_owned();
        Some(answer)
    }

    /// An answer without its body.
    pub fn head(&mut self) -> Option<Answer> {
        let head = self.until("\r\n\r\n")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Some(Answer { status, body: String::new(), head })
    }

    fn taken(&mut self, count: usize) -> String {
        let bytes: Vec<u8> = self.ahead.drain(..count).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads on; false when the connection has ended.
    fn more(&mut self) -> bool {
        let mut buffer = [0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.ahead.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing came in time after {:?}", String::from_utf8_lossy(&self.ahead))
            }
            Err(_) => false,
        }
    }
}
