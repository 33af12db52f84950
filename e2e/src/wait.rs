//! Waiting for a state.

use std::time::{Duration, Instant};

/// How long a state may take on a slow machine. Reaching it early is the rule.
pub const DEADLINE: Duration = Duration::from_secs(240);

/// Waits until `state` gives something.
///
/// # Panics
/// When the deadline passes; names what was waited for.
pub fn wait_until<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(reached) = state() {
            return reached;
        }
        assert!(begun.elapsed() < DEADLINE, "waited {} s in vain until {what}", DEADLINE.as_secs());
        pause();
    }
}

#[allow(clippy::disallowed_methods, reason = "between two looks of a blocking test")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}
