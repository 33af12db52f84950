//! The environment in which the CLI knows no server but the relay, and tells nobody of what it does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use ambo_client::Host;
use ambo_client::types::Secret;

/// Variables of the CLI that say nothing about servers and credentials; all others of the user's are taken away.
const KEPT: [&str; 8] = [
    "HEROKU_APP",
    "HEROKU_COLOR",
    "HEROKU_DEBUG",
    "HEROKU_DEBUG_HEADERS",
    "HEROKU_LOGS_COLOR",
    "HEROKU_LOG_STREAM_TIMEOUT",
    "HEROKU_THEME",
    "HEROKU_DISABLE_THEME",
];
/// What of this machine no proxy may be asked for.
const LOOPBACK: [&str; 2] = ["localhost", "127.0.0.1"];

/// What the environment is made from.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Where the relay listens.
    pub(super) relay_port: u16,
    /// The server behind it.
    pub(super) host: &'a Host,
    /// The account's token.
    pub(super) token: &'a Secret,
    /// The app that is meant when the command names none.
    pub(super) app: Option<&'a str>,
    /// The script that keeps the CLI from hosts of Heroku's.
    pub(super) fence: &'a Path,
    /// The server's certificate authority, and whoever the user trusts besides.
    pub(super) authorities: Option<&'a Path>,
    /// This program, as git's config names it.
    pub(super) credential_helper: &'a str,
}

/// Variables, by name.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// The environment of a command that asks the server.
pub(super) fn with_server(user: Variables, wanted: &Wanted<'_>) -> Variables {
    let mut variables = quiet(user);
    variables.retain(|name, _| name.to_str().is_none_or(|name| !name.starts_with("HEROKU_") || KEPT.contains(&name)));
    // The address, not the name: `localhost` may also be `::1`, where somebody else may listen on the same port.
    let relay = format!("http://127.0.0.1:{}", wanted.relay_port);
    for name in ["HEROKU_HOST", "HEROKU_PARTICLEBOARD_URL", "HEROKU_STATUS_HOST", "HEROKU_BUILDPACK_REGISTRY_URL"] {
        variables.insert(name.into(), relay.as_str().into());
    }
    for name in ["HEROKU_DATA_HOST", "HEROKU_POSTGRESQL_HOST", "HEROKU_REDIS_HOST"] {
        variables.insert(name.into(), "127.0.0.1".into());
    }
    variables.insert("HEROKU_LOGIN_HOST".into(), relay.as_str().into());
    variables.insert("HEROKU_API_KEY".into(), wanted.token.reveal().into());
    variables.insert("HEROKU_GIT_HOST".into(), wanted.host.authority().into());
    variables.insert("HEROKU_SKIP_NEW_VERSION_CHECK".into(), "true".into());
    variables.insert("HEROKU_DISABLE_AUTOUPDATE".into(), "true".into());
    if let Some(app) = wanted.app {
        variables.insert("HEROKU_APP".into(), app.into());
    }
    append(&mut variables, "NODE_OPTIONS", " ", &format!("--require={}", quoted(wanted.fence)));
    for name in ["NO_PROXY", "no_proxy"] {
        append(&mut variables, name, ",", &LOOPBACK.join(","));
    }
    if let Some(authorities) = wanted.authorities {
        variables.insert("NODE_EXTRA_CA_CERTS".into(), authorities.into());
    }
    git(&mut variables, wanted);
    variables
}

/// The environment of a command that stays on this machine.
pub(super) fn quiet(mut user: Variables) -> Variables {
    user.insert("DISABLE_TELEMETRY".into(), "true".into());
    user
}

/// The CLI writes `https` into every git address; `git` under it is told where a server on plain HTTP is, and who has
/// the credentials.
fn git(variables: &mut Variables, wanted: &Wanted<'_>) {
    let host = wanted.host;
    let mut settings = vec![
        (format!("credential.{host}/.helper"), String::new()),
        (format!("credential.{host}/.helper"), wanted.credential_helper.to_owned()),
    ];
    if host.scheme() == "http" {
        settings.push((format!("url.{host}/.insteadOf"), format!("https://{}/", host.authority())));
    }
    let count: usize = variables
        .get(&OsString::from("GIT_CONFIG_COUNT"))
        .and_then(|count| count.to_str()?.parse().ok())
        .unwrap_or_default();
    variables.insert("GIT_CONFIG_COUNT".into(), (count + settings.len()).to_string().into());
    for (number, (key, value)) in (count..).zip(settings) {
        variables.insert(format!("GIT_CONFIG_KEY_{number}").into(), key.into());
        variables.insert(format!("GIT_CONFIG_VALUE_{number}").into(), value.into());
    }
}

fn append(variables: &mut Variables, name: &str, separator: &str, text: &str) {
    let value = variables.entry(name.into()).or_default();
    if !value.is_empty() {
        value.push(separator);
    }
    value.push(text);
}

/// As Node reads its options: in quotes, with backslashes.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(user: &[(&str, &str)], host: &str, app: Option<&str>) -> BTreeMap<String, String> {
        let user = user.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let wanted = Wanted {
            relay_port: 4567,
            host: &host.parse().unwrap(),
            token: &Secret::new("t0ken"),
            app,
            fence: Path::new("/tmp/a b/fence.cjs"),
            authorities: None,
            credential_helper: "!'/bin/ambo' git-credential",
        };
        let text = |text: OsString| text.into_string().unwrap();
        with_server(user, &wanted).into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn the_cli_knows_no_server_but_the_relay() {
        let made = made(&[("PATH", "/bin")], "https://ambo.example.com", Some("shop"));
        let lines: Vec<String> = made.iter().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        DISABLE_TELEMETRY=true
        GIT_CONFIG_COUNT=2
        GIT_CONFIG_KEY_0=credential.https://ambo.example.com/.helper
        GIT_CONFIG_KEY_1=credential.https://ambo.example.com/.helper
        GIT_CONFIG_VALUE_0=
        GIT_CONFIG_VALUE_1=!'/bin/ambo' git-credential
        HEROKU_API_KEY=t0ken
        HEROKU_APP=shop
        HEROKU_BUILDPACK_REGISTRY_URL=http://127.0.0.1:4567
        HEROKU_DATA_HOST=127.0.0.1
        HEROKU_DISABLE_AUTOUPDATE=true
        HEROKU_GIT_HOST=ambo.example.com
        HEROKU_HOST=http://127.0.0.1:4567
        HEROKU_LOGIN_HOST=http://127.0.0.1:4567
        HEROKU_PARTICLEBOARD_URL=http://127.0.0.1:4567
        HEROKU_POSTGRESQL_HOST=127.0.0.1
        HEROKU_REDIS_HOST=127.0.0.1
        HEROKU_SKIP_NEW_VERSION_CHECK=true
        HEROKU_STATUS_HOST=http://127.0.0.1:4567
        NODE_OPTIONS=--require="/tmp/a b/fence.cjs"
        NO_PROXY=localhost,127.0.0.1
        PATH=/bin
        no_proxy=localhost,127.0.0.1
        "#);
    }

    #[test]
    fn what_is_set_for_heroku_itself_is_taken_away_and_the_rest_kept() {
        let user = [
            ("HEROKU_API_KEY", "theirs"),
            ("HEROKU_HEADERS", "{\"Authorization\":\"Bearer theirs\"}"),
            ("HEROKU_ORGANIZATION", "acme"),
            ("HEROKU_COLOR", "0"),
            ("HEROKU_APP", "mine"),
            ("NODE_OPTIONS", "--no-warnings"),
            ("NO_PROXY", "corp.example"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "a.b"),
        ];
        let made = made(&user, "http://127.0.0.1:7080", None);
        assert!(!made.values().any(|value| value.contains("theirs")), "{made:?}");
        assert!(!made.contains_key("HEROKU_HEADERS") && !made.contains_key("HEROKU_ORGANIZATION"));
        assert_eq!((made["HEROKU_COLOR"].as_str(), made["HEROKU_APP"].as_str()), ("0", "mine"));
        assert!(made["NODE_OPTIONS"].starts_with("--no-warnings --require="));
        assert_eq!(made["NO_PROXY"], "corp.example,localhost,127.0.0.1");
        assert_eq!((made["GIT_CONFIG_COUNT"].as_str(), made["GIT_CONFIG_KEY_0"].as_str()), ("4", "a.b"));
        assert_eq!(made["GIT_CONFIG_KEY_3"], "url.http://127.0.0.1:7080/.insteadOf");
        assert_eq!(made["GIT_CONFIG_VALUE_3"], "https://127.0.0.1:7080/");
    }
}
