//! A router's requests, counted by app.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ambo_model::{AppId, ByteSize};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Upper bounds of the durations that are told apart, in seconds; longer ones are a class of their own.
pub const DURATION_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A request that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Whose; none when it was for the platform, or for no app that there is.
    pub app: Option<AppId>,
    /// What the client was told.
    pub status: u16,
    /// What went wrong, as Heroku's code: `H12`.
    pub error: Option<&'static str>,
    /// From its head to the end of its answer.
    pub duration: Duration,
    /// Bytes of the answer's body.
    pub bytes: u64,
}

/// Counts requests. Only ever grows; begins anew with the router.
#[derive(Debug, Default)]
pub struct RequestCounts {
    apps: Mutex<HashMap<Option<AppId>, AppCounts>>,
}

#[derive(Debug, Clone, Default)]
struct AppCounts {
    classes: [u64; 5],
    errors: BTreeMap<&'static str, u64>,
    buckets: [u64; DURATION_BUCKETS.len() + 1],
    duration: Duration,
    bytes: u64,
}

/// The requests of one app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppRequests {
    /// Whose; none of those that were for no app.
    pub app: Option<AppId>,
    /// Answers by their status' first digit, from 1 to 5.
    pub classes: [u64; 5],
    /// Errors by code.
    pub errors: BTreeMap<String, u64>,
    /// Requests by duration: up to each of [`DURATION_BUCKETS`] and beyond the one before it; last, those beyond all.
    pub buckets: Vec<u64>,
    /// All durations together.
    pub duration: Duration,
    /// Bytes of all answers' bodies.
    pub sent: ByteSize,
}

impl RequestCounts {
    /// Counts one.
    pub fn add(&self, request: Request) {
        let mut apps = self.apps.lock();
        apps.entry(request.app).or_default().add(request);
    }

    /// What was counted until now, in the order of the apps' ids.
    #[must_use]
    pub fn sample(&self) -> Vec<AppRequests> {
        let counted = self.apps.lock().clone();
        let mut sample: Vec<_> = counted.into_iter().map(|(app, counts)| counts.sample(app)).collect();
        sample.sort_by_key(|requests| requests.app);
        sample
    }
}

impl AppCounts {
    fn add(&mut self, request: Request) {
        if let Some(class) = self.classes.get_mut(usize::from(request.status / 100).wrapping_sub(1)) {
            *class += 1;
        }
        if let Some(code) = request.error {
            *self.errors.entry(code).or_default() += 1;
        }
        let seconds = request.duration.as_secs_f64();
        let bucket = DURATION_BUCKETS.partition_point(|bound| seconds > *bound);
        self.buckets[bucket] += 1;
        self.duration += request.duration;
        self.bytes += request.bytes;
    }

    fn sample(self, app: Option<AppId>) -> AppRequests {
        let Self { classes, errors, buckets, duration, bytes } = self;
        AppRequests {
            app,
            classes,
            errors: errors.into_iter().map(|(code, count)| (code.to_owned(), count)).collect(),
            buckets: buckets.to_vec(),
            duration,
            sent: ByteSize::bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(app: Option<AppId>, status: u16, millis: u64) -> Request {
        Request { app, status, error: None, duration: Duration::from_millis(millis), bytes: 100 }
    }

    #[test]
    fn requests_are_counted_by_app_status_and_duration() {
        let (counts, app) = (RequestCounts::default(), AppId::new());
        for (status, millis) in [(200, 5), (204, 6), (301, 1), (200, 31_000)] {
            counts.add(request(Some(app), status, millis));
        }
        counts.add(Request { error: Some("H12"), ..request(Some(app), 503, 30_000) });
        counts.add(request(None, 404, 1));

        let sample = counts.sample();
        assert_eq!(sample.iter().map(|requests| requests.app).collect::<Vec<_>>(), [None, Some(app)]);
        let requests = &sample[1];
        assert_eq!(requests.classes, [0, 3, 1, 0, 1]);
        assert_eq!(requests.errors, BTreeMap::from([("H12".to_owned(), 1)]));
        assert_eq!(requests.buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((requests.duration, requests.sent), (Duration::from_millis(61_012), ByteSize::bytes(500)));
    }

    #[test]
    fn a_status_that_http_does_not_know_is_counted_by_its_duration_alone() {
        let counts = RequestCounts::default();
        counts.add(request(None, 42, 1));
        counts.add(request(None, 999, 1));
        let sample = counts.sample();
        assert_eq!((sample[0].classes, sample[0].buckets[0]), ([0; 5], 2));
    }
}
