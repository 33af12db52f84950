//! Query parameters and the headers that say which bytes.

use std::ops::Range;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, RANGE};
use http::request::Parts;

use crate::error::Error;

/// The first value of a query parameter.
pub(super) fn parameter(request: &Parts, name: &str) -> Option<String> {
    parameters(request, name).next()
}

/// Every value of a query parameter.
pub(super) fn parameters<'a>(request: &'a Parts, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let query = request.uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// Parses `n`, the length of a page.
pub(super) fn page_length(request: &Parts, length_max: usize) -> Result<usize, Error> {
    match parameter(request, "n") {
        None => Ok(length_max),
        Some(text) => {
            let length: Result<usize, _> = text.parse();
            length
                .map(|n| n.min(length_max))
                .map_err(|_| Error::ParameterInvalid("parameter `n` is no number".to_owned()))
        }
    }
}

/// The chunk's place: `Content-Range: <first>-<last>`, also with a leading `bytes`. `None`: there is no such header.
pub(super) fn content_range(headers: &HeaderMap) -> Option<Result<Range<u64>, ()>> {
    let value = headers.get(CONTENT_RANGE)?;
    Some(value.to_str().ok().and_then(parse_content_range).ok_or(()))
}

fn parse_content_range(text: &str) -> Option<Range<u64>> {
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
    let (first, last) = text.split('/').next()?.trim().split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then(|| Some(first..last.checked_add(1)?)).flatten()
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything: no header, or one that may be ignored (RFC 9110, section 14.2).
    Whole,
    Part(Range<u64>),
    Unsatisfiable(String),
}

pub(super) fn asked_range(headers: &HeaderMap, size: u64) -> Asked {
    let Some(Ok(text)) = headers.get(RANGE).map(|value| value.to_str()) else { return Asked::Whole };
    let Some(ranges) = text.trim().strip_prefix("bytes=") else { return Asked::Whole };
    // Several ranges may be answered with the whole.
    let Some((first, last)) = ranges.trim().split_once('-').filter(|_| !ranges.contains(',')) else {
        return Asked::Whole;
    };
    let range = match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(first), Some(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (Some(first), None) if last.is_empty() => first..size,
        (None, Some(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Unsatisfiable(ranges.chars().take(60).collect()) } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str, size: u64) -> Asked {
        asked_range(&HeaderMap::from_iter([(RANGE, text.parse().unwrap())]), size)
    }

    #[test]
    fn ranges_are_read_as_http_says() {
        assert_eq!(asked("bytes=0-3", 10), Asked::Part(0..4));
        assert_eq!(asked("bytes=4-", 10), Asked::Part(4..10));
        assert_eq!(asked("bytes=-3", 10), Asked::Part(7..10));
        assert_eq!(asked("bytes=-30", 10), Asked::Part(0..10));
        assert_eq!(asked("bytes=5-99", 10), Asked::Part(5..10));
        assert_eq!(asked("bytes=0-18446744073709551615", 10), Asked::Part(0..10));
        assert!(matches!(asked("bytes=10-", 10), Asked::Unsatisfiable(_)));
        assert!(matches!(asked("bytes=-0", 10), Asked::Unsatisfiable(_)));
        assert!(matches!(asked("bytes=0-", 0), Asked::Unsatisfiable(_)));
        for whole in ["bytes=5-3", "bytes=0-1,3-4", "lines=1-2", "bytes=x", "bytes=-"] {
            assert_eq!(asked(whole, 10), Asked::Whole, "{whole}");
        }
    }

    #[test]
    fn chunks_say_their_place_with_or_without_the_unit() {
        assert_eq!(parse_content_range("0-9"), Some(0..10));
        assert_eq!(parse_content_range("bytes 10-19/100"), Some(10..20));
        for bad in ["", "9-0", "a-b", "0-", "-5", "0-18446744073709551615"] {
            assert_eq!(parse_content_range(bad), None, "{bad}");
        }
    }
}
