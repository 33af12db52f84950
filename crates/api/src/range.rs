//! Pages of lists: `Range: version ]7..; max=15, order=desc`. Read leniently, as clients write it in many ways.

use std::convert::Infallible;
use std::marker::PhantomData;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::ApiError;

/// Entries of a page when the client does not say.
const PAGE_DEFAULT: usize = 200;
/// Most entries of a page.
const PAGE_MAX: usize = 1000;

/// Which part of a list a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    attribute: String,
    start: Option<Bound>,
    end: Option<String>,
    /// At most so many.
    pub(crate) max: usize,
    /// From the last to the first.
    pub(crate) descending: bool,
}

/// Where a page starts, in the direction of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The attribute's value.
    pub(crate) value: String,
    /// Whether the entry with this value is left out.
    pub(crate) exclusive: bool,
}

/// What a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// By number.
    Number(u64),
    /// By text.
    Text(String),
}

/// An attribute that a list can be sorted by.
pub(crate) type Attribute<T> = (&'static str, fn(&T) -> Key);

/// A page of a list of `T`.
#[derive(Debug)]
pub(crate) struct Page<T> {
    response: Response,
    of: PhantomData<T>,
}

impl<T> Page<T> {
    fn of(response: Response) -> Self {
        Self { response, of: PhantomData }
    }
}

impl<T> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Range {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let text = parts.headers.get(header::RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self::parse(text))
    }
}

impl Range {
    fn parse(text: &str) -> Self {
        let (head, options) = text.split_once(';').unwrap_or((text, ""));
        let head = head.trim();
        let (attribute, span) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
        let (start, end) = span.split_once("..").unwrap_or((span, ""));
        let start = start.trim();
        let (value, exclusive) = start.strip_prefix(']').map_or((start, false), |value| (value, true));
        let start = (!value.is_empty()).then(|| Bound { value: value.to_owned(), exclusive });
        let end = Some(end.trim()).filter(|end| !end.is_empty()).map(str::to_owned);
        let mut range = Self { attribute: attribute.to_owned(), start, end, max: PAGE_DEFAULT, descending: false };
        for option in options.split([';', ',']) {
            match option.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                Some(("max", count)) => range.max = count.parse().unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX),
                Some(("order", order)) => range.descending = order.eq_ignore_ascii_case("desc"),
                _ => {}
            }
        }
        range
    }

    /// Where the page starts, if the client sorts by this attribute.
    pub(crate) fn start(&self, attribute: &str) -> Option<&Bound> {
        self.start.as_ref().filter(|_| self.attribute == attribute)
    }

    /// Refuses bounds that the list knows nothing of. Without bounds an unknown attribute asks for nothing special.
    pub(crate) fn not_satisfiable(&self, attributes: &[&str]) -> ApiError {
        let attribute: String = self.attribute.chars().filter(|c| !c.is_control()).take(40).collect();
        let names = attributes.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        ApiError::range(format!("`Range`: there is no page of `{attribute}` with these bounds: use {names}"))
    }

    /// The page of a whole list. The first attribute is the one to sort by when the client names none that is known.
    pub(crate) fn page<T: Serialize>(&self, attributes: &[Attribute<T>], mut items: Vec<T>) -> Page<T> {
        let named = attributes.iter().find(|(name, _)| *name == self.attribute);
        let Some(&(name, key)) = named.or(attributes.first()) else { return Page::of(Json(items).into_response()) };
        if named.is_none() && (self.start.is_some() || self.end.is_some()) {
            let names: Vec<&str> = attributes.iter().map(|(name, _)| *name).collect();
            return Page::of(self.not_satisfiable(&names).into_response());
        }
        items.sort_by_cached_key(key);
        if self.descending {
            items.reverse();
        }
        if named.is_some() {
            items.retain(|item| self.contains(&key(item)));
        }
        let more = items.len() > self.max;
        items.truncate(self.max);
        let keys = items.first().map(key).zip(items.last().map(key));
        let names = attributes.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        self.response(name, &names, keys, more, &items)
    }

    /// The answer with a page's headers.
    pub(crate) fn response<T: Serialize>(
        &self,
        attribute: &str,
        attributes: &str,
        first_and_last: Option<(Key, Key)>,
        more: bool,
        items: &[T],
    ) -> Page<T> {
        let status = if more { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut response = (status, Json(items)).into_response();
        let mut set = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::ACCEPT_RANGES, attributes.to_owned());
        if let Some((first, last)) = first_and_last {
            let order = if self.descending { ", order=desc" } else { "" };
            set(header::CONTENT_RANGE, format!("{attribute} {first}..{last}"));
            if more {
                set(HeaderName::from_static("next-range"), format!("{attribute} ]{last}..; max={}{order}", self.max));
            }
        }
        Page::of(response)
    }

    fn contains(&self, key: &Key) -> bool {
        let ahead = |key: &Key, bound: &Key| if self.descending { key < bound } else { key > bound };
        let after_start = self.start.as_ref().is_none_or(|start| {
            let bound = key.alike(&start.value);
            ahead(key, &bound) || (*key == bound && !start.exclusive)
        });
        let before_end = self.end.as_ref().is_none_or(|end| !ahead(key, &key.alike(end)));
        after_start && before_end
    }
}

impl Key {
    /// A text as a key of the same kind.
    fn alike(&self, text: &str) -> Key {
        match (self, text.trim_start_matches('v').parse()) {
            (Key::Number(_), Ok(number)) => Key::Number(number),
            (Key::Number(_), Err(_)) => Key::Number(0),
            (Key::Text(_), _) => Key::Text(text.to_owned()),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Number(number) => number.fmt(f),
            Key::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTRIBUTES: [Attribute<u64>; 1] = [("version", |version| Key::Number(*version))];

    fn page(range: &str, count: u64) -> (u16, Option<String>, Option<String>) {
        let response = Range::parse(range).page(&ATTRIBUTES, (1..=count).collect()).into_response();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), header("content-range"), header("next-range"))
    }

    #[test]
    fn every_spelling_of_a_range_is_read() {
        for text in ["version ..; order=desc,max=1", "version ..; max=1, order=desc", "version ..;max=1;order=desc"] {
            let range = Range::parse(text);
            assert_eq!((range.max, range.descending, range.start), (1, true, None), "{text}");
        }
        for text in ["", "id ..; ; ", "bytes=0-10", "id", ";;", "version ]", "id ..; max=x", "id ..; max=0"] {
            let range = Range::parse(text);
            assert!((1..=PAGE_MAX).contains(&range.max) && range.start.is_none(), "{text}");
        }
        let start = Some(Bound { value: "7".into(), exclusive: true });
        assert_eq!(Range::parse("version ]7..; max=5").start, start);
        assert_eq!(Range::parse("id ..; max=9999999").max, PAGE_MAX);
    }

    #[test]
    fn pages_follow_one_another_until_the_end() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(page("version ..; max=3", 8), (206, some("version 1..3"), some("version ]3..; max=3")));
        assert_eq!(page("version ]3..; max=3", 8), (206, some("version 4..6"), some("version ]6..; max=3")));
        assert_eq!(page("version ]6..; max=3", 8), (200, some("version 7..8"), None));
        let desc = (206, some("version 8..7"), some("version ]7..; max=2, order=desc"));
        assert_eq!(page("version ..; max=2, order=desc", 8), desc);
        assert_eq!(page("version ]2..; max=2, order=desc", 8), (200, some("version 1..1"), None));
        assert_eq!(page("version 3..5", 8), (200, some("version 3..5"), None));
        assert_eq!(page("started_at ..; max=3", 2), (200, some("version 1..2"), None));
        assert_eq!(page("colour red..", 2), (416, None, None));
        assert_eq!(page("version ..", 0), (200, None, None));
    }
}
