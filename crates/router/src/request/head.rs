//! The rules that a request head must keep before it is routed.

use http::header::{CONTENT_LENGTH, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderValue, Method, Version};

use crate::client::Client;
use crate::fault::RequestFault;
use crate::host::NormalHost;

/// The host that a request is for, and as the client wrote it.
#[derive(Debug)]
pub(crate) struct RequestHost {
    pub(crate) normal: NormalHost,
    pub(crate) written: HeaderValue,
}

/// Checks a head. Afterwards its `Host` header is there, once.
pub(crate) fn head_check(
    parts: &mut Parts,
    client: &Client,
    body_bytes_max: Option<u64>,
) -> Result<RequestHost, RequestFault> {
    if parts.method == Method::CONNECT {
        return Err(RequestFault::Connect);
    }
    if client.head_is_ambiguous() || parts.headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(RequestFault::BodyLength);
    }
    let host = host_check(parts)?;
    if let Some(expect) = parts.headers.get(EXPECT)
        && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(RequestFault::Expect);
    }
    if let Some(max) = body_bytes_max
        && content_length(parts).is_some_and(|length| length > max)
    {
        return Err(RequestFault::BodyTooLarge);
    }
    Ok(host)
}

fn content_length(parts: &Parts) -> Option<u64> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// One `Host`, valid, and the same as the address where the address names one (absolute form, HTTP/2's `:authority`).
fn host_check(parts: &mut Parts) -> Result<RequestHost, RequestFault> {
    let authority = parts.uri.authority();
    let mut hosts = parts.headers.get_all(HOST).iter();
    let written = match (hosts.next(), authority) {
        (Some(host), _) => host.clone(),
        (None, Some(authority)) if parts.version == Version::HTTP_2 => {
            HeaderValue::from_str(authority.as_str()).map_err(|_| RequestFault::HostInvalid)?
        }
        (None, _) => return Err(RequestFault::HostCount),
    };
    if hosts.next().is_some() {
        return Err(RequestFault::HostCount);
    }
    let normal = NormalHost::parse(written.as_bytes()).ok_or(RequestFault::HostInvalid)?;
    if let Some(authority) = authority {
        let named = NormalHost::parse(authority.as_str().as_bytes()).ok_or(RequestFault::HostInvalid)?;
        if named.as_str() != normal.as_str() {
            return Err(RequestFault::HostMismatch);
        }
        parts.headers.insert(HOST, written.clone());
    }
    Ok(RequestHost { normal, written })
}
