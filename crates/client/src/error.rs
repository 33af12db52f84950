//! What can go wrong between a client and a server.

use std::fmt;

use serde::Deserialize;

/// What the server said when it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// The kind of refusal, as in `invalid_params`.
    pub id: String,
    /// A sentence that a person can act on.
    pub message: String,
    /// Under which the server's operator finds the request.
    pub request_id: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The credentials are missing, wrong or no longer valid.
    #[error("{0}")]
    Unauthorized(Fault),
    /// The account may not do this.
    #[error("{0}")]
    Forbidden(Fault),
    /// There is no such thing, or this account may not see it.
    #[error("{0}")]
    NotFound(Fault),
    /// The request and the present state exclude each other.
    #[error("{0}")]
    Conflict(Fault),
    /// The request makes no sense as it stands.
    #[error("{0}")]
    Invalid(Fault),
    /// Too many requests.
    #[error("{0}")]
    RateLimited(Fault),
    /// The server works, a thing it needs does not: the engine is down, the disk is full, it is starting or stopping.
    #[error("{0}")]
    Unavailable(Fault),
    /// The server itself failed.
    #[error("{0}")]
    Server(Fault),
    /// No connection, or it broke.
    #[error("cannot reach {host}")]
    Transport {
        /// The server.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The stream of an answer broke off.
    #[error("the connection to {host} broke off before the answer was complete")]
    Interrupted {
        /// The server.
        host: String,
    },
    /// The answer is none that an Ambo server gives.
    #[error("{host} gave an answer that is not Ambo's: {what}")]
    Protocol {
        /// The server.
        host: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file to be sent cannot be read.
    #[error("cannot read the file to upload")]
    Upload(#[source] std::io::Error),
    /// A WebSocket broke.
    #[error("the session with {host} broke off")]
    Session {
        /// The server.
        host: String,
        /// Why.
        source: Box<tokio_tungstenite::tungstenite::Error>,
    },
}

impl ClientError {
    /// What the server said, where it said anything.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            ClientError::Unauthorized(fault)
            | ClientError::Forbidden(fault)
            | ClientError::NotFound(fault)
            | ClientError::Conflict(fault)
            | ClientError::Invalid(fault)
            | ClientError::RateLimited(fault)
            | ClientError::Unavailable(fault)
            | ClientError::Server(fault) => Some(fault),
            ClientError::Transport { .. }
            | ClientError::Interrupted { .. }
            | ClientError::Protocol { .. }
            | ClientError::Upload(_)
            | ClientError::Session { .. } => None,
        }
    }

    /// Whether the server took too long, so that what was asked may yet happen.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, ClientError::Transport { source, .. } if source.is_timeout() && !source.is_connect())
    }

    /// Whether the server shows a certificate that this machine does not trust.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        let ClientError::Transport { source, .. } = self else { return false };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source);
        while let Some(error) = cause {
            if matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
                return true;
            }
            // An IO error hides what it is made of.
            let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            cause = match inner {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        false
    }

    /// Reads a refusal from its status and body, which need not be ours: a proxy on the way writes its own.
    pub(crate) fn from_answer(status: u16, body: &[u8], request_id: Option<String>) -> Self {
        #[derive(Deserialize)]
        struct Body {
            id: Option<String>,
            message: Option<String>,
        }
        let parsed: Option<Body> = serde_json::from_slice(body).ok();
        let (id, message) = parsed.map_or((None, None), |body| (body.id, body.message));
        let message = message.unwrap_or_else(|| format!("the server answered with status {status}"));
        let fault = Fault { status, id: id.unwrap_or_default(), message, request_id };
        match status {
            401 => ClientError::Unauthorized(fault),
            402 | 403 => ClientError::Forbidden(fault),
            404 | 410 => ClientError::NotFound(fault),
            409 => ClientError::Conflict(fault),
            429 => ClientError::RateLimited(fault),
            502..=504 | 507 => ClientError::Unavailable(fault),
            400..=499 => ClientError::Invalid(fault),
            _ => ClientError::Server(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_what_the_server_said() {
        let body = br#"{"id":"conflict","message":"name `a` is taken"}"#;
        let error = ClientError::from_answer(409, body, Some("r-1".into()));
        assert_eq!(error.to_string(), "name `a` is taken");
        assert!(matches!(&error, ClientError::Conflict(fault) if fault.request_id.as_deref() == Some("r-1")));
    }

    #[test]
    fn a_proxys_page_is_no_message() {
        let error = ClientError::from_answer(502, b"<html>Bad Gateway</html>", None);
        assert_eq!(error.to_string(), "the server answered with status 502");
        assert!(matches!(error, ClientError::Unavailable(_)));
    }
}
