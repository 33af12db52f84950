//! What happened between two readings.

use std::collections::BTreeMap;

use ambo_client::types::{AppMetrics, InstanceMetrics, RequestMetrics};

use crate::commands::ps::order;

/// An app between two readings.
#[derive(Debug)]
pub(super) struct Rates {
    pub(super) instances: Vec<InstanceRates>,
    pub(super) requests: RequestRates,
}

/// An instance that was there at the second reading.
#[derive(Debug, PartialEq)]
pub(super) struct InstanceRates {
    pub(super) name: String,
    pub(super) release: u64,
    pub(super) node: String,
    /// Cores that it kept busy.
    pub(super) cores: f64,
    pub(super) memory_bytes: u64,
    pub(super) memory_limit_bytes: u64,
    /// Bytes a second.
    pub(super) received: f64,
    /// Bytes a second.
    pub(super) sent: f64,
}

/// Requests that ended between the readings.
#[derive(Debug, Default)]
pub(super) struct RequestRates {
    pub(super) count: u64,
    /// A second.
    pub(super) rate: f64,
    pub(super) statuses: BTreeMap<String, u64>,
    pub(super) errors: BTreeMap<String, u64>,
    /// Counts by the longest that they took, in seconds; none is beyond all bounds.
    pub(super) durations: Vec<(Option<f64>, u64)>,
}

impl Rates {
    pub(super) fn between(first: &AppMetrics, second: &AppMetrics) -> Self {
        let seconds = second.measured_at.duration_since(first.measured_at).as_secs_f64().max(f64::MIN_POSITIVE);
        let before: BTreeMap<(&str, &str), &InstanceMetrics> =
            first.instances.iter().map(|instance| ((instance.node.as_str(), instance.id.as_str()), instance)).collect();
        let mut instances: Vec<InstanceRates> = second
            .instances
            .iter()
            .map(|now| instance(before.get(&(now.node.as_str(), now.id.as_str())).copied(), now, seconds))
            .collect();
        instances.sort_by_cached_key(|instance| order(&instance.name));
        Self { instances, requests: requests(&first.requests, &second.requests, seconds) }
    }
}

/// One that was not there at the first reading has done nothing of which the time is known.
fn instance(before: Option<&InstanceMetrics>, now: &InstanceMetrics, seconds: f64) -> InstanceRates {
    let before = before.unwrap_or(now);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = |then: u64, now: u64| now.saturating_sub(then) as f64 / seconds;
    InstanceRates {
        name: now.name.clone(),
        release: now.release,
        node: now.node.clone(),
        cores: (now.cpu_seconds - before.cpu_seconds).max(0.0) / seconds,
        memory_bytes: now.memory_bytes,
        memory_limit_bytes: now.memory_limit_bytes,
        received: rate(before.received_bytes, now.received_bytes),
        sent: rate(before.sent_bytes, now.sent_bytes),
    }
}

/// Counts of a router that has begun anew, or is silent, are smaller than before: they say nothing.
fn requests(first: &RequestMetrics, second: &RequestMetrics, seconds: f64) -> RequestRates {
    let before = |index: usize| first.durations.get(index).map_or(0, |bucket| bucket.count);
    let durations: Vec<_> = second
        .durations
        .iter()
        .enumerate()
        .map(|(index, bucket)| (bucket.seconds_max, bucket.count.saturating_sub(before(index))))
        .collect();
    let count = durations.iter().map(|(_, count)| count).sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = count as f64 / seconds;
    RequestRates {
        count,
        rate,
        statuses: grown(&first.statuses, &second.statuses),
        errors: grown(&first.errors, &second.errors),
        durations,
    }
}

/// By how much each has grown, of those that have.
fn grown(first: &BTreeMap<String, u64>, second: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let growth = |(key, now): (&String, &u64)| (key.clone(), now.saturating_sub(first.get(key).copied().unwrap_or(0)));
    second.iter().map(growth).filter(|(_, growth)| *growth > 0).collect()
}

impl RequestRates {
    /// How long this share of the requests took at most, in seconds: a bound, not a measurement. None: longer than any bound.
    pub(super) fn duration_of(&self, share: f64) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "of a count"
        )]
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = self.durations.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.and_then(|(bound, _)| *bound)
    }
}

#[cfg(test)]
mod tests {
    use ambo_client::types::DurationCount;

    use super::*;

    fn instance(name: &str, id: &str, cpu_seconds: f64, sent_bytes: u64) -> InstanceMetrics {
        InstanceMetrics {
            id: id.to_owned(),
            name: name.to_owned(),
            node: "n1".to_owned(),
            release: 3,
            cpu_seconds,
            memory_bytes: 1 << 20,
            memory_limit_bytes: 1 << 30,
            received_bytes: 0,
            sent_bytes,
        }
    }

    fn reading(second: i64, instances: Vec<InstanceMetrics>, counts: [u64; 3]) -> AppMetrics {
        let bounds = [Some(0.01), Some(0.1), None];
        let durations = bounds.into_iter().zip(counts);
        AppMetrics {
            measured_at: jiff::Timestamp::from_second(second).unwrap(),
            instances,
            requests: RequestMetrics {
                statuses: [("2xx".to_owned(), counts.iter().sum()), ("5xx".to_owned(), 7)].into(),
                durations: durations.map(|(seconds_max, count)| DurationCount { seconds_max, count }).collect(),
                ..RequestMetrics::default()
            },
            silent_nodes: Vec::new(),
        }
    }

    #[test]
    fn rates_are_what_happened_between_the_readings() {
        let first = reading(100, vec![instance("web.1", "a", 10.0, 1000)], [10, 0, 0]);
        let second =
            reading(102, vec![instance("web.2", "b", 5.0, 50), instance("web.1", "a", 11.0, 5000)], [100, 8, 2]);
        let rates = Rates::between(&first, &second);
        let names: Vec<&str> = rates.instances.iter().map(|instance| instance.name.as_str()).collect();
        assert_eq!(names, ["web.1", "web.2"]);
        assert!((rates.instances[0].cores - 0.5).abs() < 1e-9 && (rates.instances[0].sent - 2000.0).abs() < 1e-9);
        assert!(rates.instances[1].cores == 0.0, "it began between them");
        assert_eq!((rates.requests.count, rates.requests.rate), (100, 50.0));
        assert_eq!(rates.requests.statuses, BTreeMap::from([("2xx".to_owned(), 100)]));
        assert_eq!(rates.requests.duration_of(0.5), Some(0.01));
        assert_eq!(rates.requests.duration_of(0.95), Some(0.1));
        assert_eq!(rates.requests.duration_of(1.0), None);
    }

    #[test]
    fn counts_that_have_begun_anew_say_nothing() {
        let rates = Rates::between(&reading(0, Vec::new(), [90, 9, 9]), &reading(2, Vec::new(), [1, 0, 0]));
        assert_eq!((rates.requests.count, rates.requests.statuses.len()), (0, 0));
    }
}
