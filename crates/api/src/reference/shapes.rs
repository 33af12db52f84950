//! What each part of a handler's signature says of its requests and answers.

use aide::generate::GenContext;
use aide::openapi::{
    HeaderStyle, MediaType, Operation, Parameter, ParameterData, ParameterSchemaOrContent, RequestBody, Response,
    SchemaObject,
};
use aide::operation::{OperationInput, OperationOutput, add_parameters, set_body};
use ambo_api_types::ErrorBody;
use schemars::{JsonSchema, json_schema};

use crate::answer::{Accepted, Created};
use crate::auth::{Authorized, LoggedIn, MaybeAuthorized, Unmetered};
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Page, Range};
use crate::wire::BaseUrl;

const JSON: &str = "application/json";

// Who asks and what the path says are told by the route.
impl OperationInput for Authorized {}
impl OperationInput for Unmetered {}
impl OperationInput for LoggedIn {}
impl OperationInput for MaybeAuthorized {}
impl OperationInput for BaseUrl {}
impl<T> OperationInput for Path<T> {}

impl OperationInput for Range {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let text = json_schema!({ "type": "string", "examples": ["version ..; max=15, order=desc"] });
        let header = Parameter::Header {
            parameter_data: ParameterData {
                name: "Range".to_owned(),
                description: Some(
                    "Which part of the list: `<attribute> [\\]]<start>..[<end>]; max=<entries>, order=<asc|desc>`."
                        .to_owned(),
                ),
                required: false,
                deprecated: None,
                format: ParameterSchemaOrContent::Schema(schema(text)),
                example: None,
                examples: Default::default(),
                explode: None,
                extensions: Default::default(),
            },
            style: HeaderStyle::Simple,
        };
        add_parameters(ctx, operation, [header]);
    }
}

impl<T: JsonSchema> OperationInput for Json<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let body = RequestBody { content: content::<T>(ctx), required: true, ..RequestBody::default() };
        set_body(ctx, operation, body);
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Response)> {
        vec![(Some(201), response("It has been made.", content::<T>(ctx)))]
    }
}

impl<T: JsonSchema> OperationOutput for Accepted<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Response)> {
        vec![(Some(202), response("It will be done.", content::<T>(ctx)))]
    }
}

impl<T: JsonSchema> OperationOutput for Page<T> {
    type Inner = Vec<T>;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Response)> {
        vec![
            (Some(200), response("The list, or its last page.", content::<Vec<T>>(ctx))),
            (Some(206), response("A page of the list; `Next-Range` asks for the next one.", content::<Vec<T>>(ctx))),
        ]
    }
}

impl OperationOutput for ApiError {
    type Inner = ErrorBody;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Response)> {
        vec![(None, response("What is wrong, and what to do.", content::<ErrorBody>(ctx)))]
    }
}

fn content<T: JsonSchema>(ctx: &mut GenContext) -> indexmap::IndexMap<String, MediaType> {
    let json_schema = ctx.schema.subschema_for::<T>();
    let media = MediaType { schema: Some(schema(json_schema)), ..MediaType::default() };
    [(JSON.to_owned(), media)].into_iter().collect()
}

fn schema(json_schema: schemars::Schema) -> SchemaObject {
    SchemaObject { json_schema, external_docs: None, example: None }
}

fn response(description: &str, content: indexmap::IndexMap<String, MediaType>) -> Response {
    Response { description: description.to_owned(), content, ..Response::default() }
}
