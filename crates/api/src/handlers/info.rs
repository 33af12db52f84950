//! `/ambo/info`

use ambo_api_types::{EngineInfo, Info, SshInfo};
use ambo_controller::chain;
use axum::Json as Answer;
use axum::extract::State;

use super::platform_settings::wire_mode;
use crate::auth::MaybeAuthorized;
use crate::error::ApiError;
use crate::state::Api;

pub(crate) async fn find(
    State(api): State<Api>,
    MaybeAuthorized(caller): MaybeAuthorized,
) -> Result<Answer<Info>, ApiError> {
    let settings = &api.controller.settings;
    let mut info = Info {
        version: api.settings.version.clone(),
        domain: settings.domain.to_string(),
        router_url: format!("{}://{}:{}", settings.web_scheme, settings.domain, settings.web_port),
        registration: wire_mode(api.controller.accounts.registration_mode().await?),
        ssh: None,
        registry: None,
        engine: None,
    };
    if caller.is_some() {
        info.ssh = api.settings.ssh.as_ref().map(|ssh| SshInfo { host: ssh.host.clone(), port: ssh.port });
        info.registry = Some(settings.registry.clone());
        info.engine = Some(engine(&api).await);
    }
    Ok(Answer(info))
}

async fn engine(api: &Api) -> EngineInfo {
    match api.controller.engine_status().await {
        Ok(status) => EngineInfo {
            status: "up".to_owned(),
            version: Some(format!("{} {}", status.engine, status.version)),
            message: None,
        },
        Err(error) => EngineInfo { status: "down".to_owned(), version: None, message: Some(chain(&error)) },
    }
}
