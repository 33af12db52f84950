//! The description: what the handlers' types say, and what the table of routes adds.

use aide::openapi::{Info, OpenApi, Operation, PathItem, ReferenceOr};
use http::Method;
use serde_json::{Value, json};

use crate::routes::{Access, ROUTES, Route, table};

/// Makes the description.
pub(super) fn document() -> Value {
    let mut openapi = OpenApi {
        info: Info {
            title: "Ambo".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: Some(
                "Outside `/ambo/` the shapes are those of the Heroku Platform API v3, so that its clients work \
                 unchanged. Send `Authorization: Bearer <token>`, or Basic with the token as password."
                    .to_owned(),
            ),
            ..Info::default()
        },
        ..OpenApi::default()
    };
    let _: axum::Router<crate::state::Api> = table(|_, handler| handler).finish_api(&mut openapi);
    let paths = openapi.paths.get_or_insert_default();
    for route in ROUTES {
        let Some(ReferenceOr::Item(item)) = paths.paths.get_mut(route.path) else { continue };
        let Some(operation) = operation(item, &route.method) else { continue };
        describe(operation, route);
    }
    let mut document = serde_json::to_value(openapi).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer" },
        "basic": { "type": "http", "scheme": "basic", "description": "The token is the password; the user is ignored." },
    });
    name_parameters(&mut document);
    document
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    let slot = match *method {
        Method::GET => &mut item.get,
        Method::POST => &mut item.post,
        Method::PUT => &mut item.put,
        Method::PATCH => &mut item.patch,
        Method::DELETE => &mut item.delete,
        _ => return None,
    };
    slot.as_mut()
}

fn describe(operation: &mut Operation, route: &Route) {
    operation.summary = Some(route.summary.trim().to_owned());
    operation.description = Some(route.access.to_string());
    operation.operation_id = Some(route.name.replace("::", "."));
    operation.tags = route.name.split("::").next().map(|module| module.replace('_', " ")).into_iter().collect();
    let scheme = |name: &str| [(name.to_owned(), Vec::new())].into_iter().collect();
    for response in operation.responses.iter_mut().flat_map(|responses| responses.responses.values_mut()) {
        if let ReferenceOr::Item(response) = response
            && response.description.is_empty()
        {
            "It has worked.".clone_into(&mut response.description);
        }
    }
    if !matches!(route.access, Access::Public | Access::Secret) {
        operation.security = vec![scheme("bearer"), scheme("basic")];
    }
}

/// Segments in braces are parameters.
fn name_parameters(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths {
        let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = names
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        if !parameters.is_empty() {
            item["parameters"] = Value::Array(parameters);
        }
    }
}
