//! An app that reads every byte itself, remembers what it was sent, and behaves badly when asked to: `e2e/apps/odd`.

use serde_json::Value;

use crate::platform::Platform;
use crate::source::Source;
use crate::user::User;

/// Its source, committed.
#[must_use]
pub fn odd_app<'u, 'p>(user: &'u User<'p>, name: &str) -> Source<'u, 'p> {
    let source = Source::empty(user, name);
    source.write("Dockerfile", include_str!("../apps/odd/Dockerfile"));
    source.write("server.py", include_str!("../apps/odd/server.py"));
    source.commit("First");
    source
}

/// The requests that it has seen, in order: `line`, `headers`, `body`.
///
/// # Panics
/// When it does not say.
#[must_use]
pub fn odd_app_seen(platform: &Platform, app: &str) -> Vec<Value> {
    let answer = platform.app_get(app, "/seen");
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}
