//! Placement: the tags that a node must carry for a process to run there.

use std::collections::{BTreeMap, BTreeSet};

use ambo_model::{App, ProcessType, TAGS_MAX, TagKey, TagValue, Tags, Timestamp};

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::formations::ProcessFormation;
use crate::ports::NodeLabels;

/// Tags to set, and with `None` to take away.
pub type TagChanges = BTreeMap<TagKey, Option<TagValue>>;

impl Controller {
    /// Changes the tags of processes, all of them or none. Those whose tags change are restarted without downtime, on nodes that
    /// carry all of theirs.
    ///
    /// # Errors
    /// `Invalid` for a process that the release does not declare, for tags that no node carries together, and for tags on a
    /// platform of one machine, which has nothing to choose among.
    pub async fn tags_update(
        &self,
        caller: &Caller,
        app: &str,
        changes: &BTreeMap<ProcessType, TagChanges>,
        now: Timestamp,
    ) -> Result<(App, Vec<ProcessFormation>), ControllerError> {
        let found = self.app_find(caller, app, Permission::Deploy).await?;
        let mut wanted = BTreeMap::new();
        for (process, change) in changes {
            let before = found.formation.entry(process).tags;
            let after = changed(&before, change);
            if after != before {
                self.placeable(process, &after).await?;
            }
            wanted.insert(process.clone(), after);
        }
        let processes: Vec<ProcessType> = wanted.keys().cloned().collect();
        let result = self
            .formation_change(caller, app, &processes, now, |process, entry| {
                if let Some(tags) = wanted.get(process) {
                    entry.tags.clone_from(tags);
                }
            })
            .await?;
        let names: Vec<&str> = processes.iter().map(ProcessType::as_str).collect();
        self.log(result.0.id, "api", format!("Set tags of {} by user {}", names.join(", "), caller.email));
        Ok(result)
    }

    /// Whether there is a node for these tags, up or not.
    async fn placeable(&self, process: &ProcessType, tags: &Tags) -> Result<(), ControllerError> {
        if tags.is_empty() {
            return Ok(());
        }
        if tags.iter().count() > TAGS_MAX {
            return Err(ControllerError::Invalid(format!("{process} would have more than {TAGS_MAX} tags")));
        }
        let Some(nodes) = &self.nodes else {
            let text = "this platform has one machine: tags choose among the nodes of a cluster";
            return Err(ControllerError::Invalid(text.to_owned()));
        };
        let labels = labels(nodes.as_ref()).await?;
        if labels.iter().any(|labels| tags.fit(labels)) {
            return Ok(());
        }
        let known: BTreeSet<String> = labels.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
        let known =
            if known.is_empty() { "no labels".to_owned() } else { known.into_iter().collect::<Vec<_>>().join(", ") };
        Err(ControllerError::Invalid(format!(
            "no node carries {tags}, which {process} would need to run. The nodes carry {known}; an administrator sets labels with `ambo nodes label`"
        )))
    }
}

async fn labels(nodes: &dyn NodeLabels) -> Result<Vec<BTreeMap<String, String>>, ControllerError> {
    nodes.labels_list().await.map_err(|error| {
        tracing::warn!(error = %chain(&error), "cannot ask for the nodes' labels");
        error.into()
    })
}

fn changed(before: &Tags, changes: &TagChanges) -> Tags {
    let kept = before.iter().filter(|(key, _)| !changes.contains_key(key));
    let set = changes.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    kept.chain(set).map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_change_sets_and_takes_away_what_it_names_and_keeps_the_rest() {
        let before = tags(&[("disk", "ssd"), ("region", "eu"), ("zone", "a")]);
        let change = |key: &str, value: Option<&str>| (key.parse().unwrap(), value.map(|value| value.parse().unwrap()));
        let changes = [change("region", Some("us")), change("zone", None), change("gpu", None)].into();
        assert_eq!(changed(&before, &changes), tags(&[("disk", "ssd"), ("region", "us")]));
    }
}
