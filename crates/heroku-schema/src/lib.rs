//! Takes an answer of the API, gives what it lacks to be one of Heroku's: for tests only.
//!
//! `heroku.json` holds the types of the schema that Heroku publishes for its Platform API v3: fields, types, formats,
//! routes, without the prose. Beyond JSON Schema, `strictProperties` there means that every field is always present.
//! Fields of our own are allowed anywhere: clients ignore what they do not know.
//!
//! Left out as well: that app, git and host names are below Heroku's own domains, and that a hostname is a URI.
//!
//! What is absent here: no judgement of requests, of errors, and of routes that Heroku has not.

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

const SCHEMA: &str = include_str!("heroku.json");

/// The published schema.
#[derive(Debug)]
pub struct HerokuSchema {
    definitions: Value,
    links: Vec<Link>,
}

/// A route with what it answers.
#[derive(Debug)]
struct Link {
    method: String,
    segments: Vec<Segment>,
    target: Value,
    validator: OnceLock<Result<Validator, String>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter,
}

impl Default for HerokuSchema {
    fn default() -> Self {
        Self::new()
    }
}

impl HerokuSchema {
    /// Reads the schema.
    ///
    /// # Panics
    /// Never: it is part of the program.
    #[must_use]
    pub fn new() -> Self {
        let mut schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
        let links = links(&schema);
        open_and_strict(&mut schema);
        Self { definitions: schema["definitions"].take(), links }
    }

    /// What is wrong with a successful answer; `None` when Heroku has no such route.
    #[must_use]
    pub fn complaints(&self, method: &str, path: &str, answer: &Value) -> Option<Vec<String>> {
        let link = self.link(method, path)?;
        let validator = match link.validator.get_or_init(|| self.validator(&link.target)) {
            Ok(validator) => validator,
            Err(error) => return Some(vec![format!("the schema itself cannot be read: {error}")]),
        };
        let told = |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path);
        Some(validator.iter_errors(answer).map(told).collect())
    }

    fn link(&self, method: &str, path: &str) -> Option<&Link> {
        let path = path.split('?').next().unwrap_or(path);
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let fitting = self.links.iter().filter(|link| link.method == method && link.fits(&segments));
        // `/account/features` before `/account/{id}`.
        fitting.max_by_key(|link| link.segments.iter().filter(|segment| **segment != Segment::Parameter).count())
    }

    fn validator(&self, target: &Value) -> Result<Validator, String> {
        let mut schema = target.as_object().cloned().unwrap_or_default();
        schema.insert("definitions".to_owned(), self.definitions.clone());
        jsonschema::draft4::options()
            .should_validate_formats(true)
            .with_format("uuid", is_uuid)
            .build(&Value::Object(schema))
            .map_err(|error| error.to_string())
    }
}

impl Link {
    fn fits(&self, segments: &[&str]) -> bool {
        self.segments.len() == segments.len()
            && self.segments.iter().zip(segments).all(|(ours, theirs)| match ours {
                Segment::Literal(literal) => literal == theirs,
                Segment::Parameter => true,
            })
    }
}

fn links(schema: &Value) -> Vec<Link> {
    let definitions = schema["definitions"].as_object().into_iter().flat_map(Map::values);
    let links = definitions.filter_map(|definition| definition["links"].as_array()).flatten();
    links
        .filter_map(|link| {
            let mut target = link.get("targetSchema")?.clone();
            open_and_strict(&mut target);
            let href = link["href"].as_str()?;
            let segments = href.trim_matches('/').split('/').map(|segment| {
                if segment.starts_with('{') { Segment::Parameter } else { Segment::Literal(segment.to_owned()) }
            });
            let (method, segments) = (link["method"].as_str()?.to_owned(), segments.collect());
            Some(Link { method, segments, target, validator: OnceLock::new() })
        })
        .collect()
}

/// Opens every object for further fields, and asks for all fields of the strict ones.
fn open_and_strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("additionalProperties") == Some(&json!(false)) && object.get("patternProperties").is_none() {
                object.remove("additionalProperties");
            }
            if object.get("strictProperties") == Some(&json!(true)) {
                let names = object.get("properties").and_then(Value::as_object).map(|fields| fields.keys().cloned());
                let names: Vec<String> = names.into_iter().flatten().collect();
                if !names.is_empty() {
                    object.insert("required".to_owned(), json!(names));
                }
            }
            object.values_mut().for_each(open_and_strict);
        }
        Value::Array(items) => items.iter_mut().for_each(open_and_strict),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, character)| match at {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_schema_has_types_that_can_be_checked() {
        let schema = HerokuSchema::new();
        assert!(schema.links.len() > 250, "{}", schema.links.len());
        for link in &schema.links {
            schema.validator(&link.target).unwrap();
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_complained_about() {
        let schema = HerokuSchema::new();
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        let mut key = json!({
            "comment": "ann", "created_at": "2026-01-01T00:00:00Z", "email": "ann@example.com", "fingerprint": "17:63",
            "id": id, "public_key": "ssh-rsa AAAA", "updated_at": "2026-01-01T00:00:00Z", "ours": true,
        });
        let path = format!("/account/keys/{id}");
        assert_eq!(schema.complaints("GET", &path, &key), Some(vec![]));
        assert_eq!(schema.complaints("GET", "/account/keys?x=1", &json!([key])), Some(vec![]));
        for (field, wrong) in [("id", json!("7")), ("created_at", json!("yesterday")), ("comment", json!(7))] {
            let right = std::mem::replace(&mut key[field], wrong);
            let complaints = schema.complaints("GET", &path, &key).unwrap();
            assert!(complaints.len() == 1 && complaints[0].contains(field), "{complaints:?}");
            key[field] = right;
        }
        assert_eq!(schema.complaints("GET", "/ambo/info", &key), None);
    }
}
