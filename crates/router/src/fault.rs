//! What can go wrong with a request, under Heroku's codes.

use http::StatusCode;

/// Why a request did not get its instance's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// H10: the app has no instance because its instances crash.
    AppCrashed,
    /// H12: no byte of a response in time.
    RequestTimeout,
    /// H13: the instance closed the connection without a response.
    ClosedWithoutResponse,
    /// H14: the app has no instance.
    NoWebProcesses,
    /// H15: the response stopped half-way and stayed silent.
    IdleConnection,
    /// H17: the instance's response is no HTTP.
    PoorResponse,
    /// H18: the instance broke its response off.
    ServerInterrupted,
    /// H19: no instance accepted a connection in time.
    ConnectTimeout,
    /// H21: the instance refused the connection.
    ConnectRefused,
    /// H24: the platform closed the connection: a tunnel to an instance that is going.
    ForcedClose,
    /// H26: the request breaks HTTP's rules.
    RequestError(RequestFault),
    /// H27: the client left before the response was complete.
    ClientInterrupted,
    /// H28: the client stopped sending its request or reading its response.
    ClientIdle,
    /// H80: the app is in maintenance.
    Maintenance,
    /// No app has this host.
    UnknownHost,
    /// H99: a fault of the router.
    Platform,
}

/// In what way a request breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestFault {
    /// No `Host`, or more than one.
    HostCount,
    /// The `Host` is no host.
    HostInvalid,
    /// The request's address and its `Host` differ.
    HostMismatch,
    /// More than one `Content-Length`, or one beside `Transfer-Encoding`: the makings of request smuggling.
    BodyLength,
    /// `CONNECT`, which is for forward proxies.
    Connect,
    /// An `Expect` other than `100-continue`.
    Expect,
    /// The body is larger than the platform takes.
    BodyTooLarge,
}

/// How loud the access log is about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

impl Fault {
    /// Heroku's code; `None` where Heroku has none.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        Some(match self {
            Fault::AppCrashed => "H10",
            Fault::RequestTimeout => "H12",
            Fault::ClosedWithoutResponse => "H13",
            Fault::NoWebProcesses => "H14",
            Fault::IdleConnection => "H15",
            Fault::PoorResponse => "H17",
            Fault::ServerInterrupted => "H18",
            Fault::ConnectTimeout => "H19",
            Fault::ConnectRefused => "H21",
            Fault::ForcedClose => "H24",
            Fault::RequestError(_) => "H26",
            Fault::ClientInterrupted => "H27",
            Fault::ClientIdle => "H28",
            Fault::Maintenance => "H80",
            Fault::Platform => "H99",
            Fault::UnknownHost => return None,
        })
    }

    /// Heroku's description, as log lines carry it.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Fault::AppCrashed => "App crashed",
            Fault::RequestTimeout => "Request timeout",
            Fault::ClosedWithoutResponse => "Connection closed without response",
            Fault::NoWebProcesses => "No web processes running",
            Fault::IdleConnection => "Idle connection",
            Fault::PoorResponse => "Poorly formatted HTTP response",
            Fault::ServerInterrupted => "Server Request Interrupted",
            Fault::ConnectTimeout => "Backend connection timeout",
            Fault::ConnectRefused => "Backend connection refused",
            Fault::ForcedClose => "Forced close",
            Fault::RequestError(_) => "Request Error",
            Fault::ClientInterrupted => "Client Request Interrupted",
            Fault::ClientIdle => "Client Connection Idle",
            Fault::Maintenance => "Maintenance mode",
            Fault::UnknownHost => "No such app",
            Fault::Platform => "Platform error",
        }
    }

    /// The status in the access log.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Fault::UnknownHost => StatusCode::NOT_FOUND,
            Fault::Platform => StatusCode::INTERNAL_SERVER_ERROR,
            Fault::RequestError(RequestFault::BodyTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::RequestError(RequestFault::Expect) => StatusCode::EXPECTATION_FAILED,
            Fault::RequestError(RequestFault::Connect) => StatusCode::METHOD_NOT_ALLOWED,
            Fault::RequestError(_) => StatusCode::BAD_REQUEST,
            Fault::ClientInterrupted | Fault::ClientIdle => client_closed_request(),
            Fault::AppCrashed
            | Fault::RequestTimeout
            | Fault::ClosedWithoutResponse
            | Fault::NoWebProcesses
            | Fault::IdleConnection
            | Fault::PoorResponse
            | Fault::ServerInterrupted
            | Fault::ConnectTimeout
            | Fault::ConnectRefused
            | Fault::ForcedClose
            | Fault::Maintenance => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The status of the page, where the client is still there to read it.
    pub(crate) fn page_status(self) -> StatusCode {
        match self {
            Fault::ClientInterrupted | Fault::ClientIdle => StatusCode::REQUEST_TIMEOUT,
            _ => self.status(),
        }
    }

    pub(crate) fn level(self) -> Level {
        match self {
            Fault::Maintenance => Level::Info,
            Fault::ClientInterrupted | Fault::ClientIdle | Fault::ForcedClose => Level::Warning,
            _ => Level::Error,
        }
    }

    /// `Retry-After`, in seconds, where trying again may help.
    pub(crate) fn retry_after_seconds(self) -> Option<u32> {
        match self {
            Fault::Maintenance => Some(60),
            Fault::AppCrashed | Fault::NoWebProcesses | Fault::ConnectRefused | Fault::ConnectTimeout => Some(10),
            _ => None,
        }
    }

    /// Whether the client's connection can carry no further request.
    pub(crate) fn closes(self) -> bool {
        matches!(self, Fault::RequestError(_) | Fault::Platform | Fault::ClientInterrupted | Fault::ClientIdle)
    }
}

/// nginx's 499, which Heroku's router logs too. Never sent.
fn client_closed_request() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}
