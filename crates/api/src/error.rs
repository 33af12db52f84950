//! From what went wrong to what the client reads: the only place that knows status codes.

use std::time::Duration;

use ambo_api_types::ErrorBody;
use ambo_controller::accounts::AccountError;
use ambo_controller::push::{DeployError, DeployFault};
use ambo_controller::records::RecordError;
use ambo_controller::{BuildError, ControllerError, StoreError, chain};
use ambo_scheduler::SchedulerError;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::rate::Exhausted;

/// What a client is told.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    id: &'static str,
    message: String,
    resource: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl ApiError {
    fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into(), resource: None, retry_after: None }
    }

    /// The request cannot be read.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// The request can be read, but makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_params", message)
    }

    /// Who are you?
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// No such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// Not with this method.
    pub(crate) fn method_not_allowed() -> Self {
        let text = "this path does not take that method: see the API's reference";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
    }

    /// A page that the list does not have.
    pub(crate) fn range(message: impl Into<String>) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "requested_range_not_satisfiable", message)
    }

    /// More than we take.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
    }

    /// Not beside what there is.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// Not now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// No space is left for what was asked; nothing of it was done.
    pub(crate) fn disk_full() -> Self {
        tracing::error!("a request was refused: the disk is full");
        let text = "the platform's disk is full, so nothing was changed: free some space on its machine, or ask its \
                    administrator to, and try again";
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", text)
    }

    /// Our fault. What it was is in our log; the client gets the id under which to find it.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed");
        Self::failed()
    }

    /// Our fault, and somebody else has logged it.
    pub(crate) fn failed() -> Self {
        let text = "the platform failed at this request: try again, and if it goes on tell your administrator the \
                    `Request-Id` of this answer";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", text)
    }

    /// Says what kind of thing was not found, which Heroku's client asks for.
    pub(crate) fn of_resource(self, resource: &'static str) -> Self {
        Self { resource: Some(resource), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let resource = self.resource.map(str::to_owned);
        let body = ErrorBody { id: self.id.to_owned(), message: self.message, url: None, resource };
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Ambo\""));
        }
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

impl From<Exhausted> for ApiError {
    fn from(error: Exhausted) -> Self {
        let text = format!("your account may send {} requests a minute: wait a little, then go on", error.per_minute);
        let limited = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", text);
        Self { retry_after: Some(error.retry_after), ..limited }
    }
}

impl From<ControllerError> for ApiError {
    fn from(error: ControllerError) -> Self {
        match error {
            ControllerError::NotFound(text) => Self::not_found(text),
            ControllerError::Forbidden(text) => Self::new(StatusCode::FORBIDDEN, "forbidden", text),
            ControllerError::Invalid(text) => Self::invalid(text),
            ControllerError::Conflict(text) => Self::new(StatusCode::CONFLICT, "conflict", text),
            ControllerError::Account(error) => error.into(),
            ControllerError::Record(error) => error.into(),
            ControllerError::Scheduler(error) => error.into(),
            ControllerError::Build(error) => error.into(),
            error @ ControllerError::Vault(_) => Self::internal(&error),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        match error {
            AccountError::TokenUnknown | AccountError::LoginRefused => Self::unauthorized(text),
            AccountError::Throttled { retry_after } => {
                Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", text) }
            }
            AccountError::Busy => Self {
                retry_after: Some(Duration::from_secs(1)),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", text)
            },
            AccountError::RegistrationClosed
            | AccountError::InvitationNeeded
            | AccountError::InvitationUnknown
            | AccountError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", text),
            AccountError::EmailTaken(_) => Self::new(StatusCode::CONFLICT, "conflict", text),
            AccountError::PasswordLength { .. }
            | AccountError::Scope(_)
            | AccountError::Lifetime { .. }
            | AccountError::SshKey(_)
            | AccountError::SshKeyAdded
            | AccountError::SshKeyTaken
            | AccountError::Limit(_) => Self::invalid(text),
            AccountError::NotFound(_) => Self::not_found(text),
            AccountError::Record(error) => error.into(),
            error @ AccountError::Hash(_) => Self::internal(&error),
        }
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        match &error {
            RecordError::Store(StoreError::Conflict { .. }) => {
                let text = "somebody else changed this at the same time: try again";
                Self::new(StatusCode::CONFLICT, "conflict", text)
            }
            RecordError::Store(StoreError::Limit(text)) => Self::invalid(text.clone()),
            RecordError::Store(StoreError::DiskFull) => Self::disk_full(),
            RecordError::Store(StoreError::Deposed | StoreError::Unclear { .. }) => {
                Self::unavailable(error.to_string())
            }
            RecordError::Store(StoreError::Backend { .. }) => {
                tracing::error!(error = %chain(&error), "the state cannot be reached");
                let text =
                    "the platform's state cannot be reached right now: nothing was changed, try again in a moment";
                Self::unavailable(text)
            }
            RecordError::Store(StoreError::Compacted(_) | StoreError::WatchLagged | StoreError::LeaseGone)
            | RecordError::Damaged { .. } => Self::internal(&error),
        }
    }
}

impl From<SchedulerError> for ApiError {
    fn from(error: SchedulerError) -> Self {
        match &error {
            SchedulerError::EngineDown { .. } => {
                let text = "the container engine does not answer: try again when it is back; what you asked for before \
                            is done then";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "engine_unavailable", text)
            }
            SchedulerError::ImagePull { .. } => Self::unavailable(chain(&error)),
            SchedulerError::Start { .. } => Self::invalid(error.to_string()),
            SchedulerError::InstanceGone(_) => Self::not_found("the dyno has gone: see `ambo ps`"),
            SchedulerError::NodeGone(_) => Self::not_found("the node is not in the cluster: see `ambo nodes`"),
            SchedulerError::Refused { .. } => Self::invalid(error.to_string()),
            SchedulerError::Deposed { .. } => Self::unavailable(error.to_string()),
            SchedulerError::Engine { .. } => Self::internal(&error),
        }
    }
}

impl From<BuildError> for ApiError {
    fn from(error: BuildError) -> Self {
        match &error {
            BuildError::DiskFull => Self::disk_full(),
            BuildError::Platform { .. } => Self::internal(&error),
            BuildError::BrokeOff { .. } => Self::unavailable(chain(&error)),
            _ => Self::invalid(chain(&error)),
        }
    }
}

impl From<DeployError> for ApiError {
    fn from(error: DeployError) -> Self {
        match error.fault {
            DeployFault::Controller(error) => error.into(),
            fault @ (DeployFault::Cancelled | DeployFault::Stopping) => Self::unavailable(fault.to_string()),
            DeployFault::Rollout(error) => Self::invalid(chain(&error)),
        }
    }
}
