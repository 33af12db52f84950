//! `/ambo/apps/{app}/tags`: maps from process to tags.

use std::collections::BTreeMap;

/// Every process' tags: what a node must carry for it to run there.
pub type Tags = BTreeMap<String, BTreeMap<String, String>>;

/// `PATCH`: the processes to change, and of each the tags to set; `null` takes one away.
pub type TagsUpdate = BTreeMap<String, BTreeMap<String, Option<String>>>;
