//! `/app-setups`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::build::SourceBlob;
use crate::reference::AppReference;

/// The setup of an app from a source that says what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppSetup {
    /// Its id.
    pub id: Uuid,
    /// The app.
    pub app: AppReference,
    /// The build, once there is one.
    pub build: Option<AppSetupBuild>,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// Why it failed.
    pub failure_message: Option<String>,
    /// What is wrong with the source's `app.json`.
    pub manifest_errors: Vec<String>,
    /// What the script of `app.json` said.
    pub postdeploy: Option<Postdeploy>,
    /// Where to go next.
    pub resolved_success_url: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A setup's build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppSetupBuild {
    /// Its id.
    pub id: Uuid,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// Where its output can be read.
    pub output_stream_url: String,
}

/// How a script ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Postdeploy {
    /// What it wrote.
    pub output: String,
    /// Its exit code.
    pub exit_code: i32,
}

/// `POST /app-setups`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct AppSetupCreate {
    /// The source, with an `app.json` at its root.
    pub source_blob: SourceBlob,
    /// The app to make.
    #[serde(default)]
    pub app: AppSetupApp,
    /// What wins over `app.json`.
    #[serde(default)]
    pub overrides: AppSetupOverrides,
}

/// The app to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct AppSetupApp {
    /// Its name; made up without one.
    #[serde(default)]
    pub name: Option<String>,
}

/// What wins over `app.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct AppSetupOverrides {
    /// Config.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}
