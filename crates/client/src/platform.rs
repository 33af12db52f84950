//! The platform itself.

use crate::error::ClientError;
use crate::transport::Client;
use crate::types::{ImagesCollected, Info, Invitation, InvitationCreate, PlatformSettings, PlatformSettingsUpdate};

impl Client {
    /// What the platform says about itself; less without credentials.
    ///
    /// # Errors
    /// When it cannot be reached, or is no Ambo.
    pub async fn platform_info(&self) -> Result<Info, ClientError> {
        self.get("/ambo/info").await
    }

    /// Makes an invitation.
    ///
    /// # Errors
    /// When the account is no administrator.
    pub async fn invitation_create(&self, create: &InvitationCreate) -> Result<Invitation, ClientError> {
        self.post("/ambo/invitations", create).await
    }

    /// Frees the disk space of images that no kept release needs.
    ///
    /// # Errors
    /// When the account is no administrator, or the server fails at it.
    pub async fn images_collect(&self) -> Result<ImagesCollected, ClientError> {
        self.post("/ambo/images/collect", &serde_json::json!({})).await
    }

    /// The settings.
    ///
    /// # Errors
    /// When the account is no administrator.
    pub async fn settings_info(&self) -> Result<PlatformSettings, ClientError> {
        self.get("/ambo/settings").await
    }

    /// Changes settings.
    ///
    /// # Errors
    /// When the account is no administrator, or a value makes no sense.
    pub async fn settings_update(&self, update: &PlatformSettingsUpdate) -> Result<PlatformSettings, ClientError> {
        self.patch("/ambo/settings", update).await
    }
}
