//! The PROXY protocol, versions 1 and 2: a load balancer says for whom it connects.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest header of version 1, its line end included (from the protocol's text).
const V1_BYTES_MAX: usize = 107;
/// Longest payload of version 2 that is taken; the addresses need 36 bytes, the rest are extensions.
const V2_PAYLOAD_BYTES_MAX: usize = 2048;
const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Why a header was not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyHeaderError {
    #[error("read the PROXY header")]
    Read(#[from] io::Error),
    #[error(
        "the connection does not open with a PROXY header: have the load balancer send one, or switch `proxy_protocol` off"
    )]
    Missing,
    #[error("the PROXY header is damaged")]
    Damaged,
}

/// Reads the header, and not a byte more. Gives the client's address; `None` when the load balancer speaks for itself (a
/// health check) or for something that has no IP address.
pub(crate) async fn header_read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyHeaderError> {
    let mut start = [0; V2_SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == V2_SIGNATURE {
        return version2_read(stream).await;
    }
    if !start.starts_with(b"PROXY ") {
        return Err(ProxyHeaderError::Missing);
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= V1_BYTES_MAX {
            return Err(ProxyHeaderError::Damaged);
        }
        line.push(stream.read_u8().await?);
    }
    version1_parse(&line)
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`
fn version1_parse(line: &[u8]) -> Result<Option<IpAddr>, ProxyHeaderError> {
    let line = std::str::from_utf8(line).map_err(|_| ProxyHeaderError::Damaged)?;
    let mut words = line.trim_end_matches("\r\n").split(' ').skip(1);
    match words.next() {
        Some("UNKNOWN") => Ok(None),
        Some("TCP4" | "TCP6") => {
            let address = words.next().and_then(|word| word.parse().ok()).ok_or(ProxyHeaderError::Damaged)?;
            if words.count() == 3 { Ok(Some(address)) } else { Err(ProxyHeaderError::Damaged) }
        }
        _ => Err(ProxyHeaderError::Damaged),
    }
}

async fn version2_read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyHeaderError> {
    let (version_command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let len = usize::from(stream.read_u16().await?);
    if version_command >> 4 != 2 || len > V2_PAYLOAD_BYTES_MAX {
        return Err(ProxyHeaderError::Damaged);
    }
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).await?;
    match (version_command & 0xf, family >> 4) {
        (0, _) => Ok(None),
        (1, 1) => first::<4>(&payload).map(|octets| Some(Ipv4Addr::from(octets).into())),
        (1, 2) => first::<16>(&payload).map(|octets| Some(Ipv6Addr::from(octets).into())),
        (1, _) => Ok(None),
        _ => Err(ProxyHeaderError::Damaged),
    }
}

fn first<const N: usize>(payload: &[u8]) -> Result<[u8; N], ProxyHeaderError> {
    payload.first_chunk::<N>().copied().ok_or(ProxyHeaderError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (Result<Option<IpAddr>, ProxyHeaderError>, usize) {
        let mut rest = bytes;
        (header_read(&mut rest).await, rest.len())
    }

    #[tokio::test]
    async fn version_1_names_the_client_and_leaves_the_request_alone() {
        let (address, rest) = read(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET /").await;
        assert_eq!((address.unwrap(), rest), (Some("192.0.2.1".parse().unwrap()), 5));
        let (address, _) = read(b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n").await;
        assert_eq!(address.unwrap(), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(read(b"PROXY UNKNOWN\r\n").await.0.unwrap(), None);
    }

    #[tokio::test]
    async fn version_2_names_the_client_and_skips_extensions() {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([0x21, 0x11, 0, 15, 192, 0, 2, 1, 198, 51, 100, 1, 0xdb, 0xfc, 1, 0xbb, 3, 0, 0]);
        bytes.extend(b"GET /");
        let (address, rest) = read(&bytes).await;
        assert_eq!((address.unwrap(), rest), (Some("192.0.2.1".parse().unwrap()), 5));
        let mut local = V2_SIGNATURE.to_vec();
        local.extend([0x20, 0, 0, 0]);
        assert_eq!(read(&local).await.0.unwrap(), None);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        assert!(matches!(read(b"GET / HTTP/1.1\r\n\r\n").await.0, Err(ProxyHeaderError::Missing)));
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        assert!(matches!(read(&endless).await.0, Err(ProxyHeaderError::Damaged)));
        assert!(matches!(read(b"PROXY TCP4 x 1 2 3\r\n").await.0, Err(ProxyHeaderError::Damaged)));
    }
}
