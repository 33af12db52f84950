//! Connections that another component of the platform passes on: the first line says whose they are, in the words of the PROXY
//! protocol, version 1 (haproxy's `proxy-protocol.txt`, section 2.1).

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line, in bytes, its end included.
const LINE_BYTES_MAX: usize = 107;

/// The line for a client's connection that is passed on to `to`.
#[must_use]
pub fn proxy_line(client: SocketAddr, to: SocketAddr) -> String {
    let (client_ip, to_ip) = (client.ip().to_canonical(), to.ip().to_canonical());
    match (client_ip, to_ip) {
        (IpAddr::V4(from), IpAddr::V4(to_ip)) => {
            format!("PROXY TCP4 {from} {to_ip} {} {}\r\n", client.port(), to.port())
        }
        // The two have one family in the line.
        (IpAddr::V4(from), IpAddr::V6(to_ip)) => {
            format!("PROXY TCP6 {} {to_ip} {} {}\r\n", from.to_ipv6_mapped(), client.port(), to.port())
        }
        (IpAddr::V6(from), to_ip) => {
            let to_ip = match to_ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            format!("PROXY TCP6 {from} {to_ip} {} {}\r\n", client.port(), to.port())
        }
    }
}

/// Reads the line, and no byte beyond it.
///
/// # Errors
/// When there is none.
pub(crate) async fn client(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<SocketAddr> {
    let mut line = Vec::with_capacity(LINE_BYTES_MAX);
    while line.last() != Some(&b'\n') {
        if line.len() == LINE_BYTES_MAX {
            return Err(refused());
        }
        line.push(stream.read_u8().await?);
    }
    parse(&line).ok_or_else(refused)
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the connection does not say whose it is")
}

fn parse(line: &[u8]) -> Option<SocketAddr> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let words: Vec<&str> = line.split(' ').collect();
    let ["PROXY", "TCP4" | "TCP6", from, _to, port, _to_port] = words.as_slice() else { return None };
    Some(SocketAddr::new(from.parse::<IpAddr>().ok()?.to_canonical(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_is_who_the_line_says() {
        for (client_address, to) in [
            ("192.0.2.1:50000", "127.0.0.1:7080"),
            ("[2001:db8::1]:50000", "127.0.0.1:7080"),
            ("192.0.2.1:50000", "[::1]:7080"),
        ] {
            let told: SocketAddr = client_address.parse().unwrap();
            let line = format!("{}GET /", proxy_line(told, to.parse().unwrap()));
            let mut stream = line.as_bytes();
            assert_eq!(client(&mut stream).await.unwrap(), told);
            assert_eq!(stream, b"GET /", "no byte beyond it");
        }
    }

    #[tokio::test]
    async fn a_connection_that_does_not_say_is_refused() {
        for told in ["GET / HTTP/1.1\r\n", "PROXY UNKNOWN\r\n", "PROXY TCP4 a b 1 2\r\n", &"x".repeat(200)] {
            assert!(client(&mut told.as_bytes()).await.is_err(), "{told}");
        }
    }
}
