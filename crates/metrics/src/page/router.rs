//! The routers' requests.

use std::collections::HashMap;
use std::fmt;

use ambo_model::{AppId, AppName};
use prometheus_client::registry::Unit;

use super::Page;
use super::families::{Families, Family, Histogram, Labels, value};
use crate::requests::{AppRequests, DURATION_BUCKETS};

const REQUESTS: Family = Family {
    name: "router_requests",
    help: "Requests that the node's router has answered, by the class of their status; without an app, those for none",
    unit: None,
};
const ERRORS: Family =
    Family { name: "router_errors", help: "Requests that failed, by the code that the log shows", unit: None };
const DURATION: Family = Family {
    name: "router_request_duration",
    help: "From a request's head to the end of its answer",
    unit: Some(&Unit::Seconds),
};
const SENT: Family =
    Family { name: "router_response", help: "Bodies of answers that the router has sent", unit: Some(&Unit::Bytes) };
const UNCOUNTED: Family = Family {
    name: "router_requests_uncounted",
    help: "Requests that are neither counted nor logged, since too many came at once",
    unit: None,
};

/// The requests of an app at a node.
type Row<'a> = (Labels, &'a AppRequests);

pub(super) fn encode(page: &Page, families: &mut Families<'_>) -> fmt::Result {
    let rows = rows(page);
    families.counters(REQUESTS, rows.iter().flat_map(classes))?;
    families.counters(ERRORS, rows.iter().flat_map(errors))?;
    families.histograms(DURATION, rows.iter().map(|(labels, requests)| (labels.clone(), durations(requests))))?;
    families.counters(SENT, rows.iter().map(|(labels, requests)| (labels.clone(), value(requests.sent.as_u64()))))?;
    let routers = page.nodes.iter().filter_map(|report| Some((report, report.sample.as_ref()?.router.as_ref()?)));
    let uncounted = routers.map(|(report, router)| (vec![("node", report.node.clone())], value(router.uncounted)));
    families.counters(UNCOUNTED, uncounted)
}

fn rows(page: &Page) -> Vec<Row<'_>> {
    let names: HashMap<AppId, &AppName> = page.apps.iter().map(|app| (app.id, &app.name)).collect();
    let routers = page.nodes.iter().filter_map(|report| Some((report, report.sample.as_ref()?.router.as_ref()?)));
    let all = routers.flat_map(|(report, router)| router.requests.iter().map(move |requests| (report, requests)));
    let named = all.filter_map(|(report, requests)| {
        let app = match requests.app {
            Some(id) => names.get(&id)?.to_string(),
            None => String::new(),
        };
        Some((vec![("node", report.node.clone()), ("app", app)], requests))
    });
    named.collect()
}

fn with(labels: &Labels, name: &'static str, text: String) -> Labels {
    let mut labels = labels.clone();
    labels.push((name, text));
    labels
}

fn classes((labels, requests): &Row<'_>) -> Vec<(Labels, f64)> {
    let classes = requests.classes.iter().enumerate();
    classes.map(|(index, count)| (with(labels, "status", format!("{}xx", index + 1)), value(*count))).collect()
}

fn errors((labels, requests): &Row<'_>) -> Vec<(Labels, f64)> {
    requests.errors.iter().map(|(code, count)| (with(labels, "error", code.clone()), value(*count))).collect()
}

fn durations(requests: &AppRequests) -> Histogram {
    let bounds = DURATION_BUCKETS.into_iter().chain([f64::INFINITY]);
    Histogram { sum: requests.duration.as_secs_f64(), buckets: bounds.zip(requests.buckets.iter().copied()).collect() }
}
