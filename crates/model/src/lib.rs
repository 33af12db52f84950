//! The nouns of Ambo: typed ids, validated names, states.
//!
//! Every other crate speaks in these types. A value that exists is valid: names are parsed once, at the edge, and carry
//! their check with them.
//!
//! What is absent here: no IO, no async, no clock, no wire format. The `serde` forms are those of state at rest; what
//! clients see is `ambo-api-types`.

pub mod account;
pub mod address;
pub mod app;
pub mod build;
pub mod certificate;
pub mod config;
pub mod drain;
pub mod formation;
pub mod health;
pub mod id;
pub mod image;
pub mod instance;
pub mod log;
pub mod name;
pub mod node;
pub mod pipeline;
pub mod process;
pub mod procfile;
pub mod release;
pub mod route;
pub mod secret;
pub mod size;
pub mod usage;

pub use account::{Account, Role};
pub use app::App;
pub use build::{Artifact, Build, BuildSource, BuildStatus, CommitId};
pub use certificate::{Certificate, CertificateFacts};
pub use config::{Config, ConfigChange, ConfigKey, ConfigKeyError};
pub use drain::{Drain, DrainToken};
pub use formation::{Formation, FormationEntry, INSTANCES_MAX};
pub use health::{HealthCheck, Probe};
pub use id::{
    AccountId, AppId, BuildId, CertificateId, CouplingId, DrainId, InstanceId, JobId, KeyId, PipelineId, PromotionId,
    PromotionTargetId, ReleaseId, RunId, TokenId,
};
pub use image::{ImageDigest, ImageReference};
pub use instance::{Endpoint, Instance, InstanceState, WorkloadId};
pub use jiff::Timestamp;
pub use log::{LogLine, LogSource};
pub use name::{AppName, Email, Hostname, NameError, ProcessType};
pub use node::{
    JoinTokens, Node, NodeAvailability, NodeError, NodeId, NodeRank, NodeResources, NodeRole, NodeState, TAGS_MAX,
    TagKey, TagValue, Tags,
};
pub use pipeline::{
    Coupling, Pipeline, PipelineError, PipelineName, Promotion, PromotionStatus, PromotionTarget, Stage,
};
pub use process::{Command, Process, ProcessTable};
pub use procfile::{Procfile, ProcfileError};
pub use release::{Release, ReleaseCause, ReleaseStatus, ReleaseVersion};
pub use route::{Route, RouteTable, Target};
pub use secret::Secret;
pub use size::{ByteSize, CpuShare, Limits, SizeError};
pub use usage::{AppTally, InstanceUsage, ProcessTally};
