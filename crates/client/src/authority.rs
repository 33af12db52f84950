//! The certificate authority that a server has made for itself.

use http::{HeaderMap, Method};

use crate::error::ClientError;
use crate::transport::{Client, RequestBody};

/// What a certificate begins with.
const MARK: &str = "-----BEGIN CERTIFICATE-----";

impl Client {
    /// The server's own certificate authority, as PEM; `None` when its certificates are from a public one.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn platform_authority(&self) -> Result<Option<String>, ClientError> {
        match self.call(Method::GET, "/ambo/ca.pem", HeaderMap::new(), RequestBody::Empty).await {
            Ok((_, answer)) => {
                let text = String::from_utf8_lossy(&answer);
                Ok(text.contains(MARK).then(|| text.into_owned()))
            }
            Err(ClientError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
