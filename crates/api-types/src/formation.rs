//! `/apps/{app}/formation`.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::reference::{AppReference, NamedReference};

/// How many instances of a process are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Formation {
    /// Its id.
    pub id: Uuid,
    /// The process.
    #[serde(rename = "type")]
    pub process_type: String,
    /// What it runs, for people.
    pub command: String,
    /// Wanted instances.
    pub quantity: u32,
    /// Their limits: a size's name, or the limits themselves.
    pub size: String,
    /// The same, as Heroku's newer clients read it.
    pub dyno_size: NamedReference,
    /// Of which app.
    pub app: AppReference,
    /// When the app was made.
    pub created_at: Timestamp,
    /// When the app last changed.
    pub updated_at: Timestamp,
}

/// `PATCH /apps/{app}/formation`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FormationBatchUpdate {
    /// All are done, or none.
    pub updates: Vec<FormationUpdate>,
}

/// One process' change; also the body of `PATCH /apps/{app}/formation/{type}`, which names the process in its path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FormationUpdate {
    /// The process.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub process_type: Option<String>,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Limits: the name of one of Heroku's sizes, memory such as `768M`, or `unlimited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Its image from now on, by the digest that it was pushed with or by its id; `null` takes the process away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_or_text")]
    pub docker_image: Option<Option<String>>,
}

/// Tells `null` from nothing.
fn null_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A count, or a step up or down. On the wire `3`, `"3"`, `"+1"`, `"-1"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// So many.
    To(u32),
    /// So many more, or fewer.
    By(i32),
}

impl Quantity {
    /// Reads `3`, `+1`, `-1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [b'+' | b'-', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => {
                text.parse().ok().map(Self::By)
            }
            [digit, ..] if digit.is_ascii_digit() => text.parse().ok().map(Self::To),
            _ => None,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::To(count) => write!(f, "{count}"),
            Quantity::By(step) => write!(f, "{step:+}"),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Quantity::To(count) => serializer.serialize_u32(*count),
            Quantity::By(_) => serializer.collect_str(self),
        }
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A count, or a step up or down.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[+-]?[0-9]+$", "examples": ["3", "+1", "-1"] },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let read = match &value {
            serde_json::Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()).map(Quantity::To),
            serde_json::Value::String(text) => Quantity::parse(text),
            _ => None,
        };
        read.ok_or_else(|| {
            let shown: String = value.to_string().chars().take(40).collect();
            serde::de::Error::custom(format_args!(
                "`{shown}` is no quantity: use 0 or more, or a step such as `\"+1\"`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_a_number_or_text() {
        let read = |json: &str| serde_json::from_str::<Quantity>(json);
        assert_eq!(read("3").unwrap(), Quantity::To(3));
        assert_eq!(read("\"3\"").unwrap(), Quantity::To(3));
        assert_eq!(read("\"+1\"").unwrap(), Quantity::By(1));
        assert_eq!(read("\"-2\"").unwrap(), Quantity::By(-2));
        for bad in ["-1", "1.5", "99999999999", "\"\"", "\"+\"", "\"two\"", "\"++1\"", "null", "[1]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_quantity_is_read_as_it_was_written() {
        for quantity in [Quantity::To(0), Quantity::To(7), Quantity::By(1), Quantity::By(-3)] {
            let json = serde_json::to_string(&quantity).unwrap();
            assert_eq!(serde_json::from_str::<Quantity>(&json).unwrap(), quantity);
            assert_eq!(Quantity::parse(&quantity.to_string()), Some(quantity));
        }
    }
}
