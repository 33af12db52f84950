//! The platform and its apps, as the control plane counts them.

use std::fmt;

use ambo_model::{AppTally, ProcessTally, ProcessType};

use super::Page;
use super::families::{Families, Family, Labels, value};

const INFO: Family = Family { name: "platform", help: "The platform that this page is of, by its version", unit: None };
const APPS: Family = Family { name: "apps", help: "Apps", unit: None };
const RELEASE: Family = Family { name: "app_release", help: "Number of the release that serves the app", unit: None };
const WANTED: Family =
    Family { name: "app_instances_wanted", help: "Instances of the process that are wanted", unit: None };
const INSTANCES: Family = Family { name: "app_instances", help: "Instances of the process, by state", unit: None };

/// The words of `ambo ps`; every process has a line for each, so that a state that ends is told as none.
const STATES: [&str; 5] = ["up", "starting", "crashed", "stopping", "down"];

pub(super) fn encode(page: &Page, families: &mut Families<'_>) -> fmt::Result {
    families.gauges(INFO, [(vec![("version", page.version.clone())], 1.0)])?;
    families.gauges(APPS, [(Labels::new(), value(page.apps.len() as u64))])?;
    let serving = page.apps.iter().filter_map(|app| Some((app_labels(app), value(app.serving?.0))));
    families.gauges(RELEASE, serving)?;
    let wanted = processes(page).map(|(app, process, tally)| (labels(app, process), f64::from(tally.wanted)));
    families.gauges(WANTED, wanted)?;
    let instances = processes(page).flat_map(|(app, process, tally)| {
        STATES.map(|state| {
            let mut labels = labels(app, process);
            labels.push(("state", state.to_owned()));
            (labels, f64::from(tally.instances.get(state).copied().unwrap_or(0)))
        })
    });
    families.gauges(INSTANCES, instances)
}

fn processes(page: &Page) -> impl Iterator<Item = (&AppTally, &ProcessType, &ProcessTally)> {
    page.apps.iter().flat_map(|app| app.processes.iter().map(move |(process, tally)| (app, process, tally)))
}

fn app_labels(app: &AppTally) -> Labels {
    vec![("app", app.name.to_string())]
}

fn labels(app: &AppTally, process: &ProcessType) -> Labels {
    vec![("app", app.name.to_string()), ("process", process.to_string())]
}
