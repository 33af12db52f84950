//! What the router says itself: one small page, or JSON for programs.

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use http::{Response, StatusCode};

use crate::fault::{Fault, RequestFault};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the page says.
struct Words {
    id: &'static str,
    title: &'static str,
    text: &'static str,
}

/// The form in which the client wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Html,
    Json,
}

impl Form {
    /// What the client's `Accept` asks for; pages where it does not care.
    pub(crate) fn preferred(headers: &HeaderMap) -> Self {
        let (mut html, mut json) = (0, 0);
        for range in
            headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','))
        {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, weight);
            match kind.as_str() {
                "application/json" => json = json.max(weight),
                "text/html" | "application/xhtml+xml" => html = html.max(weight),
                _ if kind.starts_with("application/") && kind.ends_with("+json") => json = json.max(weight),
                _ => {}
            }
        }
        if json > html { Form::Json } else { Form::Html }
    }
}

/// A quality value in thousandths.
fn weight(text: &str) -> u32 {
    let thousandths = text.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0) * 1000.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 1000")]
    let thousandths = thousandths as u32;
    thousandths
}

/// The answer that the client gets instead of its instance's.
pub(crate) fn fault_page(fault: Fault, form: Form, request_id: &HeaderValue) -> Response<Bytes> {
    let words = words(fault);
    let id = request_id.to_str().unwrap_or_default();
    let (kind, body) = match form {
        Form::Html => ("text/html; charset=utf-8", html(fault, &words, id)),
        Form::Json => ("application/json", json(fault, &words, id)),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = fault.page_status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, request_id.clone());
    if let Some(seconds) = fault.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if fault.status() == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    if fault.closes() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn words(fault: Fault) -> Words {
    let (id, title, text) = match fault {
        Fault::UnknownHost => (
            "no_such_app",
            "No app here",
            "No app answers to this address. Check its spelling, or add it to an app as a domain.",
        ),
        Fault::NoWebProcesses => {
            ("no_web_processes", "Not running", "This app has no web process running at the moment.")
        }
        Fault::AppCrashed => (
            "app_crashed",
            "App crashed",
            "This app's web process stops again and again. Its owner finds the reason in its log.",
        ),
        Fault::Maintenance => {
            ("maintenance", "Down for maintenance", "This app is being worked on and will be back soon.")
        }
        Fault::RequestTimeout => ("request_timeout", "No answer in time", "The app did not answer in time."),
        Fault::ConnectTimeout | Fault::ConnectRefused => (
            "app_unreachable",
            "App unreachable",
            "The app does not accept requests at the moment. Please try again shortly.",
        ),
        Fault::ClosedWithoutResponse | Fault::PoorResponse | Fault::ServerInterrupted | Fault::IdleConnection => (
            "app_error",
            "Application error",
            "The app did not give a proper answer. Its owner finds the reason in its log.",
        ),
        Fault::RequestError(fault) => request_words(fault),
        Fault::ClientInterrupted | Fault::ClientIdle | Fault::ForcedClose => {
            ("interrupted", "Request interrupted", "The request did not arrive completely.")
        }
        Fault::Platform => {
            ("platform_error", "Platform error", "The platform failed to serve this request. Please try again shortly.")
        }
    };
    Words { id, title, text }
}

fn request_words(fault: RequestFault) -> (&'static str, &'static str, &'static str) {
    let text = match fault {
        RequestFault::HostCount => "A request needs exactly one Host header.",
        RequestFault::HostInvalid => "The Host header names no host.",
        RequestFault::HostMismatch => "The request's address and its Host header differ.",
        RequestFault::BodyLength => {
            "The request says twice how long its body is: send either one Content-Length or Transfer-Encoding."
        }
        RequestFault::Connect => "This is no forward proxy: CONNECT is not served.",
        RequestFault::Expect => "The only expectation that can be met is 100-continue.",
        RequestFault::BodyTooLarge => {
            return ("body_too_large", "Body too large", "The request's body is larger than this platform takes.");
        }
    };
    ("bad_request", "Bad request", text)
}

fn json(fault: Fault, words: &Words, request_id: &str) -> String {
    let body = serde_json::json!({
        "id": words.id, "message": words.text, "code": fault.code(), "status": fault.page_status().as_u16(), "request_id": request_id,
    });
    format!("{body}\n")
}

fn html(fault: Fault, words: &Words, request_id: &str) -> String {
    let Words { title, text, .. } = words;
    let code = fault.code().map(|code| format!("{code} · ")).unwrap_or_default();
    let status = fault.page_status().as_u16();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n<main>\n<p class=\"status\">{status}</p>\n<h1>{title}</h1>\n<p>{text}</p>\n\
         <footer>{code}request <code>{request_id}</code></footer>\n</main>\n</html>\n"
    )
}

const STYLE: &str =
    ":root { color-scheme: light dark; --ink: #1c1b22; --soft: #6b6a75; --paper: #faf9f7; --mark: #b4441f }
@media (prefers-color-scheme: dark) { :root { --ink: #eceaf2; --soft: #9a98a6; --paper: #17161b; --mark: #f08a5d } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.6 system-ui, sans-serif }
main { max-width: 32rem; padding: 2rem }
h1 { margin: 0 0 .6rem; font-size: 1.9rem; line-height: 1.2 }
.status { margin: 0; color: var(--mark); font-weight: 600; letter-spacing: .08em }
footer { margin-top: 2.2rem; color: var(--soft); font-size: .8rem; overflow-wrap: anywhere }
";

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &'static str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Form::preferred(&headers)
    }

    #[test]
    fn programs_get_json_and_people_get_a_page() {
        assert_eq!(form("application/json"), Form::Json);
        assert_eq!(form("application/vnd.heroku+json; version=3"), Form::Json);
        assert_eq!(form("text/html;q=0.5, application/json;q=0.9"), Form::Json);
        assert_eq!(form("text/html,application/xhtml+xml,*/*;q=0.8"), Form::Html);
        assert_eq!(form("*/*"), Form::Html);
        assert_eq!(Form::preferred(&HeaderMap::new()), Form::Html);
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let page = fault_page(Fault::Maintenance, Form::Html, &HeaderValue::from_static("0123456789abcdefghij"));
        let body = std::str::from_utf8(page.body()).unwrap();
        assert!(body.contains("H80") && body.contains("0123456789abcdefghij"));
        assert!(!body.contains("<script") && !body.contains("http://") && !body.contains("https://"));
        assert_eq!(page.headers()[RETRY_AFTER], "60");
    }
}
