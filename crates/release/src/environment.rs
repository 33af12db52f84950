//! The environment of an instance.

use std::collections::BTreeMap;

use ambo_model::{AppName, Release, Secret};

/// `$PORT` of an image that exposes none or several.
pub const PORT_DEFAULT: u16 = 5000;

/// `$PORT`: config's, else the one port that the image exposes, else [`PORT_DEFAULT`].
#[must_use]
pub fn port(release: &Release) -> u16 {
    let configured = release.config.get("PORT").and_then(|port| port.reveal().parse().ok()).filter(|port| *port != 0);
    let exposed = release.artifact.as_ref().and_then(|artifact| artifact.exposed_port);
    configured.or(exposed).unwrap_or(PORT_DEFAULT)
}

/// Every variable of an instance but `DYNO`, which names the single copy. The platform's win over config's.
#[must_use]
pub fn environment(app: &AppName, release: &Release) -> BTreeMap<String, Secret> {
    let mut variables: BTreeMap<String, Secret> =
        release.config.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone())).collect();
    let mut set = |key: &str, value: String| variables.insert(key.to_owned(), Secret::new(value));
    set("PORT", port(release).to_string());
    set("AMBO_APP", app.to_string());
    set("AMBO_RELEASE", release.version.to_string());
    if let Some(version) = &release.source_version {
        set("SOURCE_VERSION", version.clone());
    }
    variables
}
