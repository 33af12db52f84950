//! What goes over the wire: the requests and answers of the HTTP API, one file per noun.
//!
//! Outside `/ambo/` the shapes are those of the Heroku Platform API v3, so that its clients work unchanged. Requests are
//! read leniently: unknown fields are ignored, and a number may come as text where Heroku's own client sends it so.
//!
//! What is absent here: no nouns of ours (those are `ambo-model`), no checks beyond the shape, no HTTP.

pub mod account;
pub mod app;
pub mod app_setup;
pub mod app_transfer;
pub mod attach;
pub mod authorization;
pub mod backup;
pub mod build;
pub mod build_stream;
pub mod collaborator;
pub mod config_vars;
pub mod domain;
pub mod dyno;
pub mod error;
pub mod formation;
pub mod healthcheck;
pub mod images;
pub mod info;
pub mod instance;
pub mod invitation;
pub mod key;
pub mod limits;
pub mod log_drain;
pub mod log_session;
pub mod metrics;
pub mod pipeline;
pub mod platform_settings;
pub mod reference;
pub mod registration;
pub mod release;
pub mod secret;
pub mod slug;
pub mod sni_endpoint;
pub mod source;
pub mod tags;

pub use account::{Account, AccountRole, AccountUpdate, RateLimit};
pub use app::{App, AppCreate, AppUpdate};
pub use app_setup::{AppSetup, AppSetupApp, AppSetupBuild, AppSetupCreate, AppSetupOverrides, Postdeploy};
pub use app_transfer::{AppOwnerUpdate, AppTransfer, AppTransferCreate};
pub use attach::{AttachFrameError, AttachInput, AttachOutput};
pub use authorization::{AccessToken, Authorization, AuthorizationCreate, AuthorizationUpdate, AuthorizationUser};
pub use backup::{Backup, BackupArchive, BackupCreate, BackupStatus};
pub use build::{Build, BuildCreate, BuildImage, SourceBlob};
pub use build_stream::{BUILD_TRAILER_MARK, BuildOutcome, BuildTrailer};
pub use collaborator::{Collaborator, CollaboratorCreate, CollaboratorUser};
pub use config_vars::{ConfigVars, ConfigVarsUpdate};
pub use domain::{Domain, DomainCreate, DomainUpdate};
pub use dyno::{Dyno, DynoCreate, DynoExtra, TerminalSize};
pub use error::ErrorBody;
pub use formation::{Formation, FormationBatchUpdate, FormationUpdate, Quantity};
pub use healthcheck::{HealthCheck, HealthCheckKind, HealthCheckUpdate, HealthChecks, HealthChecksUpdate};
pub use images::{ImagesCollected, ImagesTotal};
pub use info::{EngineInfo, Info, SshInfo};
pub use instance::Instance;
pub use invitation::{Invitation, InvitationCreate};
pub use key::{Key, KeyCreate};
pub use limits::{Limits, LimitsUpdate, ProcessLimits, ProcessLimitsUpdate};
pub use log_drain::{LogDrain, LogDrainCreate};
pub use log_session::{LogSession, LogSessionCreate};
pub use metrics::{AppMetrics, DurationCount, InstanceMetrics, RequestMetrics};
pub use pipeline::{
    AppFilter, AppFilterIn, Pipeline, PipelineCoupling, PipelineCouplingCreate, PipelineCouplingUpdate, PipelineCreate,
    PipelineOwner, PipelinePromotion, PipelinePromotionCreate, PipelinePromotionTarget, PipelineTransfer,
    PipelineTransferCreate, PipelineUpdate, PromotionSource, PromotionSourceCreate, PromotionTargetCreate,
    TextReference,
};
pub use platform_settings::{PlatformSettings, PlatformSettingsUpdate, RegistrationMode};
pub use reference::{AppReference, IdReference, NamedReference, ReleaseReference, UserReference};
pub use registration::{Registered, Registration};
pub use release::{Release, ReleaseArtifact, ReleaseRollback};
pub use secret::Secret;
pub use slug::{ReleaseCreate, Slug, SlugBlob, TextOrNumber};
pub use sni_endpoint::{SniEndpoint, SniEndpointCreate, SslCert};
pub use source::{Source, SourceUrls};
pub use tags::{Tags, TagsUpdate};
