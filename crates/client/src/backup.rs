//! Backups of the platform, for administrators.

use bytes::Bytes;
use http::{Method, header};
use uuid::Uuid;

use crate::error::ClientError;
use crate::transport::{Client, RequestBody};
use crate::types::{Backup, BackupArchive, BackupCreate};

/// An archive on its way. It is whole when [`ArchiveStream::next`] has said `None`, and of no use before.
#[derive(Debug)]
pub struct ArchiveStream {
    client: Client,
    response: reqwest::Response,
}

impl Client {
    /// The archives where the platform keeps them, oldest first.
    ///
    /// # Errors
    /// When the account is no administrator, or the platform keeps none.
    pub async fn backup_list(&self) -> Result<Vec<BackupArchive>, ClientError> {
        self.get("/ambo/backups").await
    }

    /// Begins a backup, which goes on without us.
    ///
    /// # Errors
    /// When the account is no administrator, another backup is being made, or what is asked makes no sense.
    pub async fn backup_create(&self, create: &BackupCreate) -> Result<Backup, ClientError> {
        self.post("/ambo/backups", create).await
    }

    /// How far a backup is.
    ///
    /// # Errors
    /// When it is not known, as after a restart of the platform.
    pub async fn backup_info(&self, id: Uuid) -> Result<Backup, ClientError> {
        self.get(&format!("/ambo/backups/{id}")).await
    }

    /// Makes a backup and gives its archive as it is made, however long that takes.
    ///
    /// # Errors
    /// As [`Client::backup_create`].
    pub async fn backup_download(&self, create: &BackupCreate) -> Result<ArchiveStream, ClientError> {
        let mut request = self.request(Method::POST, &self.host().at("/ambo/backups/download"));
        if let RequestBody::Json(json) = self.json(create)? {
            request = request.header(header::CONTENT_TYPE, "application/json").body(json);
        }
        Ok(ArchiveStream { client: self.clone(), response: self.send(request).await? })
    }
}

impl ArchiveStream {
    /// The next piece; `None` at the end of a whole archive.
    ///
    /// # Errors
    /// When the connection breaks, or the platform gives the backup up.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        self.response.chunk().await.map_err(|error| self.client.transport_error(error))
    }
}
