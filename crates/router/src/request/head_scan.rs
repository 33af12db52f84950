//! Looks over the raw bytes of a request head for what hyper's parser mends silently.
//!
//! hyper never forwards an ambiguous length: of `Content-Length` and `Transfer-Encoding` it keeps the latter and closes the
//! connection after the response. A client that sends both is up to something or broken, and is told so: this scan finds it.
//! It begins with the first byte after an idle connection and ends with the head; a pipelined request's head, which arrives
//! while another one is being answered, is left to hyper alone.

/// As many bytes of a line as its name can need: `transfer-encoding`.
const NAME_BYTES_MAX: usize = 17;

/// The state of a scan, fed with the bytes as they arrive.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    /// The beginning of the line so far, lower-case.
    line: [u8; NAME_BYTES_MAX],
    /// Bytes of the line so far, its end not counted.
    line_len: usize,
    /// Whether the request line is over.
    in_headers: bool,
    content_lengths: u8,
    transfer_encodings: u8,
    done: bool,
}

impl HeadScan {
    /// Whether the head, as far as it was seen, frames its body twice.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.content_lengths > 1 || (self.content_lengths > 0 && self.transfer_encodings > 0)
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !self.done && !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes);
            self.line_extend(&bytes[..end.unwrap_or(bytes.len())]);
            let Some(end) = end else { return };
            self.line_end();
            bytes = &bytes[end + 1..];
        }
    }

    fn line_extend(&mut self, bytes: &[u8]) {
        if self.line_len < NAME_BYTES_MAX {
            for (to, from) in self.line[self.line_len..].iter_mut().zip(bytes) {
                *to = from.to_ascii_lowercase();
            }
        }
        self.line_len += bytes.len();
    }

    fn line_end(&mut self) {
        let line = &self.line[..self.line_len.min(NAME_BYTES_MAX)];
        if line.is_empty() || line == b"\r" {
            // Empty lines before the request line are allowed and skipped.
            self.done = self.in_headers;
        } else if !self.in_headers {
            self.in_headers = true;
        } else if line.starts_with(b"content-length") {
            self.content_lengths = self.content_lengths.saturating_add(1);
        } else if line.starts_with(b"transfer-encoding") {
            self.transfer_encodings = self.transfer_encodings.saturating_add(1);
        }
        self.line_len = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ambiguous(head: &str) -> bool {
        let mut scan = HeadScan::default();
        scan.feed(head.as_bytes());
        scan.is_ambiguous()
    }

    #[test]
    fn two_framings_are_found_in_either_order_and_case() {
        assert!(ambiguous("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(ambiguous("POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\ncontent-length: 3\r\n\r\n"));
        assert!(ambiguous("POST / HTTP/1.1\nContent-Length: 3\nContent-Length: 3\n\n"));
    }

    #[test]
    fn one_framing_or_a_body_that_looks_like_a_head_is_fine() {
        assert!(!ambiguous(
            "POST / HTTP/1.1\r\nContent-Length: 60\r\n\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"
        ));
        assert!(!ambiguous("GET /content-length HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: content-length\r\n\r\n"));
        assert!(!ambiguous("\r\nGET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
    }

    proptest! {
        #[test]
        fn the_cuts_between_reads_do_not_matter(cuts in proptest::collection::vec(1usize..20, 1..20)) {
            let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut scan = HeadScan::default();
            let mut rest = &head[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                scan.feed(now);
                rest = later;
            }
            prop_assert!(scan.is_ambiguous());
        }
    }
}
