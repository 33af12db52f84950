//! `/ambo/apps/{app}/limits`: maps from process to limits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Every process' limits.
pub type Limits = BTreeMap<String, ProcessLimits>;

/// `PATCH`: the processes to change.
pub type LimitsUpdate = BTreeMap<String, ProcessLimitsUpdate>;

/// What one instance may use; `None` is unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessLimits {
    /// Memory: `512M`.
    pub memory: Option<String>,
    /// CPU, in cores or thousandths: `2`, `500m`.
    pub cpu: Option<String>,
}

/// A change of limits: `None` keeps, `Some(None)` (`null` on the wire) takes the limit away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessLimitsUpdate {
    /// Memory.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub memory: Option<Option<String>>,
    /// CPU.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Option<String>>,
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_takes_a_limit_away_and_absence_keeps_it() {
        let update: ProcessLimitsUpdate = serde_json::from_str(r#"{"memory":null}"#).unwrap();
        assert_eq!(update, ProcessLimitsUpdate { memory: Some(None), cpu: None });
        assert_eq!(serde_json::to_string(&update).unwrap(), r#"{"memory":null}"#);
        let update: ProcessLimitsUpdate = serde_json::from_str(r#"{"cpu":"0.5"}"#).unwrap();
        assert_eq!(update, ProcessLimitsUpdate { memory: None, cpu: Some(Some("0.5".into())) });
    }
}
