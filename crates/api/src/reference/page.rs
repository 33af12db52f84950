//! The reference as one page that needs nothing from elsewhere.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde_json::Value;

use super::schema::{self, Field};

const STYLE: &str = include_str!("page.css");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Text that may hold what HTML reads.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Text with code between backticks.
struct Prose<'a>(&'a str);

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.0.split('`').enumerate() {
            if number % 2 == 1 {
                write!(f, "<code>{}</code>", Text(part))?;
            } else {
                Text(part).fmt(f)?;
            }
        }
        Ok(())
    }
}

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

/// Makes the page.
pub(super) fn page(document: &Value) -> String {
    let groups = groups(document);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Ambo API {version}</title><style>{STYLE}</style><h1>Ambo API \
         {version}</h1><p>{description} <a href=\"/openapi.json\">OpenAPI</a></p>",
        version = Text(text(&document["info"]["version"])),
        description = Prose(text(&document["info"]["description"])),
    );
    page.push_str("<nav>");
    for name in groups.keys() {
        push(&mut page, format_args!("<a href=\"#{id}\">{name}</a>", id = Text(&anchor(name)), name = Text(name)));
    }
    page.push_str("</nav>");
    for (name, operations) in groups {
        push(&mut page, format_args!("<h2 id=\"{id}\">{name}</h2>", id = Text(&anchor(name)), name = Text(name)));
        for operation in operations {
            show(&mut page, document, &operation);
        }
    }
    page
}

/// The operations by their tag.
fn groups(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut groups: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            let Some(value) = item.get(method) else { continue };
            groups.entry(text(&value["tags"][0])).or_default().push(Operation { method, path, value });
        }
    }
    groups
}

fn show(page: &mut String, document: &Value, operation: &Operation<'_>) {
    push(
        page,
        format_args!(
            "<details id=\"{id}\"><summary><span class=\"method\">{method}</span><span class=\"path\">{path}</span>\
             <span>{summary}</span></summary><div><p class=\"dim\">{description}</p>",
            id = Text(text(&operation.value["operationId"])),
            method = Text(&operation.method.to_uppercase()),
            path = Text(operation.path),
            summary = Text(text(&operation.value["summary"])),
            description = Text(text(&operation.value["description"])),
        ),
    );
    let body = &operation.value["requestBody"]["content"]["application/json"]["schema"];
    fields(page, "Request", true, &schema::fields(document, body));
    for (status, response) in operation.value["responses"].as_object().into_iter().flatten() {
        let body = &response["content"]["application/json"]["schema"];
        let (list, body) = if body["type"] == "array" { (" (a list)", &body["items"]) } else { ("", body) };
        let title = if status == "default" { "Error".to_owned() } else { format!("{status}{list}") };
        fields(page, &title, false, &schema::fields(document, body));
    }
    page.push_str("</div></details>");
}

fn fields(page: &mut String, title: &str, may_be_left_out: bool, fields: &[Field<'_>]) {
    if fields.is_empty() {
        return;
    }
    push(page, format_args!("<h3>{}</h3><table>", Text(title)));
    for field in fields {
        push(
            page,
            format_args!(
                "<tr><td><code>{}</code><td>{}{}<td>{}",
                Text(field.name),
                Text(&field.kind),
                if may_be_left_out && !field.required { ", optional" } else { "" },
                Prose(field.description),
            ),
        );
    }
    page.push_str("</table>");
}

fn push(page: &mut String, text: fmt::Arguments<'_>) {
    page.push_str(&text.to_string());
}

fn anchor(name: &str) -> String {
    name.replace(' ', "-")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
