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
    /// What happened.
    text: &'static str,
    /// What a visitor can do.
    advice: &'static str,
    /// What the app's developer can do.
    remedy: Option<Remedy>,
}

impl Words {
    const fn new(id: &'static str, title: &'static str, text: &'static str, advice: &'static str) -> Self {
        Self { id, title, text, advice, remedy: None }
    }

    const fn remedy(self, text: &'static str, commands: &'static [&'static str]) -> Self {
        Self { remedy: Some(Remedy { text, commands }), ..self }
    }
}

/// Commands that show the cause or take it away.
struct Remedy {
    text: &'static str,
    commands: &'static [&'static str],
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
    match fault {
        Fault::UnknownHost => {
            let advice = "Check its spelling, or go back to where you found it.";
            Words::new("no_such_app", "No app here", "Nothing is served at this address.", advice)
                .remedy("List your apps, or add this address to one:", &["ambo apps", "ambo domains:add HOST -a APP"])
        }
        Fault::NoWebProcesses => {
            Words::new("no_web_processes", "Not running", "This app has no web process running at the moment.", LATER)
                .remedy("Deploy it, or start a web process:", &["ambo ps -a APP", "ambo scale web=1 -a APP"])
        }
        Fault::AppCrashed => {
            let text = "This app stopped working and does not start again.";
            Words::new("app_crashed", "App crashed", text, LATER).remedy("Its log says why:", LOOK)
        }
        Fault::Maintenance => {
            let text = "This app is being worked on and will be back soon.";
            Words::new("maintenance", "Down for maintenance", text, "Please come back in a few minutes.")
                .remedy("Put it back into service:", &["ambo maintenance:off -a APP"])
        }
        Fault::RequestTimeout => {
            Words::new("request_timeout", "No answer in time", "This app took too long to answer.", AGAIN)
                .remedy("Its log says what it was busy with:", LOOK)
        }
        Fault::ConnectTimeout | Fault::ConnectRefused => {
            Words::new("app_unreachable", "App unreachable", "This app does not accept requests at the moment.", SOON)
                .remedy("See whether it is up and listens on $PORT:", LOOK)
        }
        Fault::ClosedWithoutResponse | Fault::PoorResponse | Fault::ServerInterrupted | Fault::IdleConnection => {
            Words::new("app_error", "Application error", "This app did not give a proper answer.", AGAIN)
                .remedy("Its log says why:", LOOK)
        }
        Fault::RequestError(fault) => request_words(fault),
        Fault::ClientInterrupted | Fault::ClientIdle | Fault::ForcedClose => {
            let text = "The request did not arrive completely.";
            Words::new("interrupted", "Request interrupted", text, "Please send it again.")
        }
        Fault::Platform => {
            Words::new("platform_error", "Platform error", "The platform failed to serve this request.", SOON)
        }
    }
}

const SOON: &str = "Please try again in a moment.";
const LATER: &str = "Please try again later.";
const AGAIN: &str = "Please try again. If you sent something, look first whether it has arrived.";
const LOOK: &[&str] = &["ambo ps -a APP", "ambo logs -a APP"];

fn request_words(fault: RequestFault) -> Words {
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
            let text = "The request's body is larger than this platform takes.";
            return Words::new("body_too_large", "Too large", text, "Send less at a time.");
        }
    };
    let advice = "Your browser or program sent something that is not understood here.";
    Words::new("bad_request", "Bad request", text, advice)
}

fn json(fault: Fault, words: &Words, request_id: &str) -> String {
    let body = serde_json::json!({
        "id": words.id, "message": words.text, "code": fault.code(), "status": fault.page_status().as_u16(), "request_id": request_id,
    });
    format!("{body}\n")
}

fn html(fault: Fault, words: &Words, request_id: &str) -> String {
    let Words { title, text, advice, remedy, .. } = words;
    let code = fault.code().map(|code| format!("{code} · ")).unwrap_or_default();
    let status = fault.page_status().as_u16();
    let remedy = remedy.as_ref().map(remedy_html).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title} ({status})</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<p class=\"status\">{status}</p>\n<h1>{title}</h1>\n<p>{text}<br>{advice}</p>\n{remedy}\
         <footer>{code}request <code>{request_id}</code></footer>\n</main>\n</body>\n</html>\n"
    )
}

fn remedy_html(Remedy { text, commands }: &Remedy) -> String {
    let commands = commands.join("\n");
    format!("<section>\n<h2>Is it yours?</h2>\n<p>{text}</p>\n<pre><code>{commands}</code></pre>\n</section>\n")
}

const STYLE: &str = ":root { color-scheme: light dark; --ink: #1c1b22; --soft: #605f6a; --line: #e3e0da; --paper: #faf9f7; --mark: #a83d1a }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceaf2; --soft: #a3a1af; --line: #34323c; --paper: #17161b; --mark: #f08a5d }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; align-items: center; justify-content: center;
  background: var(--paper); color: var(--ink); font: 1.0625rem/1.6 system-ui, sans-serif }
main { width: min(34rem, 100vw); padding: 3rem 1.5rem }
h1 { margin: .25rem 0 .75rem; font-size: clamp(1.8rem, 7vw, 2.5rem); font-weight: 650; line-height: 1.15; letter-spacing: -.02em }
p { margin: 0 }
.status { color: var(--mark); font-weight: 600; font-variant-numeric: tabular-nums; letter-spacing: .06em }
section { margin-top: 2.25rem; padding-top: 1.5rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .9rem }
h2 { margin: 0; font-size: inherit; color: var(--ink) }
pre { margin: .6rem 0 0; overflow-x: auto }
code { font-family: ui-monospace, monospace; font-size: .95em }
pre code { color: var(--ink) }
footer { margin-top: 2.25rem; color: var(--soft); font-size: .8rem; overflow-wrap: anywhere }
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

    /// One of each kind of page.
    const FAULTS: [Fault; 12] = [
        Fault::UnknownHost,
        Fault::NoWebProcesses,
        Fault::AppCrashed,
        Fault::Maintenance,
        Fault::RequestTimeout,
        Fault::ConnectRefused,
        Fault::ServerInterrupted,
        Fault::RequestError(RequestFault::BodyLength),
        Fault::RequestError(RequestFault::BodyTooLarge),
        Fault::RequestError(RequestFault::Connect),
        Fault::ClientIdle,
        Fault::Platform,
    ];

    /// Bytes that a page may have.
    const PAGE_BYTES_MAX: usize = 4096;

    #[test]
    fn every_page_is_small_and_needs_nothing_from_elsewhere() {
        for fault in FAULTS {
            let page = fault_page(fault, Form::Html, &HeaderValue::from_static("0123456789abcdefghij"));
            let body = std::str::from_utf8(page.body()).unwrap();
            assert!(body.len() < PAGE_BYTES_MAX, "{fault:?} has {} bytes", body.len());
            assert!(body.contains("0123456789abcdefghij") && body.contains(fault.code().unwrap_or("404")), "{body}");
            for needed in ["<html lang=\"en\">", "<title>", "<h1>", "width=device-width"] {
                assert!(body.contains(needed), "{fault:?} lacks `{needed}`: {body}");
            }
            for foreign in ["<script", "http:", "https:", "url(", "@import", "src="] {
                assert!(!body.contains(foreign), "{fault:?} has `{foreign}`: {body}");
            }
        }
    }

    #[test]
    fn a_page_says_when_to_come_back_and_what_a_developer_can_do() {
        let page = |fault| fault_page(fault, Form::Html, &HeaderValue::from_static("0123456789abcdefghij"));
        assert_eq!(page(Fault::Maintenance).headers()[RETRY_AFTER], "60");
        let crashed = page(Fault::AppCrashed);
        let body = std::str::from_utf8(crashed.body()).unwrap();
        assert!(body.contains("ambo ps -a APP") && body.contains("ambo logs -a APP"), "{body}");
    }
}
