//! `/apps/{app}/config-vars`: flat maps.

use std::collections::BTreeMap;

/// All config vars.
pub type ConfigVars = BTreeMap<String, String>;

/// `PATCH`: a text sets, `null` unsets.
pub type ConfigVarsUpdate = BTreeMap<String, Option<String>>;
