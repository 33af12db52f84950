//! One app, out of what the nodes say.

use ambo_api_types::{AppMetrics, DurationCount, InstanceMetrics, RequestMetrics};
use ambo_metrics::{AppRequests, DURATION_BUCKETS, NodeReport};
use ambo_model::{AppId, InstanceUsage, Timestamp};

/// What the app uses, and its requests through all routers together.
pub(super) fn app_metrics(app: AppId, reports: &[NodeReport], measured_at: Timestamp) -> AppMetrics {
    let mut metrics = AppMetrics {
        measured_at,
        instances: Vec::new(),
        requests: RequestMetrics { durations: durations(), ..RequestMetrics::default() },
        silent_nodes: Vec::new(),
    };
    for NodeReport { node, sample } in reports {
        let Some(sample) = sample else {
            metrics.silent_nodes.push(node.clone());
            continue;
        };
        let ours = sample.instances.iter().flatten().filter(|usage| usage.workload.app == app);
        metrics.instances.extend(ours.map(|usage| instance(node, usage)));
        let routed = sample.router.iter().flat_map(|router| &router.requests);
        routed.filter(|requests| requests.app == Some(app)).for_each(|requests| add(&mut metrics.requests, requests));
    }
    metrics
}

fn instance(node: &str, usage: &InstanceUsage) -> InstanceMetrics {
    InstanceMetrics {
        id: usage.id.as_str().to_owned(),
        name: usage.name(),
        node: node.to_owned(),
        release: usage.workload.release.0,
        cpu_seconds: usage.cpu.as_secs_f64(),
        memory_bytes: usage.memory.as_u64(),
        memory_limit_bytes: usage.memory_max.as_u64(),
        received_bytes: usage.received.as_u64(),
        sent_bytes: usage.sent.as_u64(),
    }
}

fn durations() -> Vec<DurationCount> {
    let bounds = DURATION_BUCKETS.into_iter().map(Some).chain([None]);
    bounds.map(|seconds_max| DurationCount { seconds_max, count: 0 }).collect()
}

fn add(sum: &mut RequestMetrics, requests: &AppRequests) {
    for (index, count) in requests.classes.iter().enumerate() {
        *sum.statuses.entry(format!("{}xx", index + 1)).or_default() += count;
    }
    for (code, count) in &requests.errors {
        *sum.errors.entry(code.clone()).or_default() += count;
    }
    for (bucket, count) in sum.durations.iter_mut().zip(&requests.buckets) {
        bucket.count += count;
    }
    sum.duration_seconds += requests.duration.as_secs_f64();
    sum.sent_bytes += requests.sent.as_u64();
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use ambo_metrics::{MachineSample, NodeSample, Request, RequestCounts, RouterSample};

    use super::*;

    fn report(node: &str, app: AppId, count: usize) -> NodeReport {
        let counts = RequestCounts::default();
        for app in [app, AppId::new()] {
            let duration = Duration::from_millis(7);
            let request = Request { app: Some(app), status: 200, error: None, duration, bytes: 10 };
            (0..count).for_each(|_| counts.add(request));
        }
        let router = RouterSample { requests: counts.sample(), uncounted: 0 };
        let machine = MachineSample::measure(Path::new("/")).unwrap();
        NodeReport {
            node: node.to_owned(),
            sample: Some(NodeSample { machine, router: Some(router), instances: None }),
        }
    }

    #[test]
    fn an_apps_requests_are_summed_over_nodes_and_silent_ones_are_named() {
        let app = AppId::new();
        let silent = NodeReport { node: "n3".to_owned(), sample: None };
        let reports = [report("n1", app, 2), report("n2", app, 3), silent];
        let metrics = app_metrics(app, &reports, Timestamp::UNIX_EPOCH);
        assert_eq!((metrics.requests.statuses["2xx"], metrics.requests.sent_bytes), (5, 50));
        let counted: Vec<_> = metrics.requests.durations.iter().filter(|bucket| bucket.count > 0).collect();
        assert_eq!(counted, [&DurationCount { seconds_max: Some(0.01), count: 5 }]);
        assert_eq!((metrics.instances.len(), metrics.silent_nodes), (0, vec!["n3".to_owned()]));
    }
}
