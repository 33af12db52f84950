//! Reads the schemas of the description for people.

use serde_json::Value;

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its type, for people.
    pub(super) kind: String,
    /// Whether it is always there.
    pub(super) required: bool,
    /// What it is.
    pub(super) description: &'a str,
}

/// The fields of a schema, following references. None when it is no object.
pub(super) fn fields<'a>(document: &'a Value, schema: &'a Value) -> Vec<Field<'a>> {
    let schema = resolved(document, schema);
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    let field = |(name, value): (&'a String, &'a Value)| Field {
        name,
        kind: kind(document, value),
        required: required(name),
        description: description(document, value),
    };
    properties.map(field).collect()
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(schema)
}

fn description<'a>(document: &'a Value, schema: &'a Value) -> &'a str {
    let own = schema["description"].as_str();
    own.or_else(|| resolved(document, schema)["description"].as_str()).unwrap_or_default()
}

fn kind(document: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = resolved(document, schema);
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return if target["properties"].is_object() { name.to_owned() } else { kind(document, target) };
    }
    let choices = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema[name].as_array());
    if let Some(choices) = choices {
        return join(choices.iter().map(|choice| kind(document, choice)));
    }
    if let Some(values) = schema["enum"].as_array() {
        return join(
            values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), |text| format!("“{text}”"))),
        );
    }
    if let Some(value) = schema["const"].as_str() {
        return format!("“{value}”");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(document, &schema["items"])),
        Value::String(name) => schema["format"].as_str().unwrap_or(name).to_owned(),
        Value::Array(names) => join(names.iter().filter_map(Value::as_str).map(str::to_owned)),
        _ => "any".to_owned(),
    }
}

fn join(kinds: impl Iterator<Item = String>) -> String {
    let mut kinds: Vec<String> = kinds.collect();
    kinds.dedup();
    kinds.join(" or ")
}
