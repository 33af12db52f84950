//! A cloud-config (cloud-init's `#cloud-config` format) that makes a node of a fresh Debian or Ubuntu machine.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

use crate::component::DATA;
use crate::joining::{Joining, LABELS_FILE, labels_text};

/// Where the machine is rented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Microsoft Azure.
    Azure,
    /// Amazon EC2.
    Aws,
    /// Google Compute Engine.
    Gcp,
    /// DigitalOcean.
    DigitalOcean,
    /// Anything that reads a cloud-config.
    Bare,
}

/// There is no such provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no provider that is known: use azure, aws, gcp, digitalocean or bare")]
pub struct UnknownProvider(String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        match text {
            "azure" => Ok(Self::Azure),
            "aws" => Ok(Self::Aws),
            "gcp" => Ok(Self::Gcp),
            "digitalocean" => Ok(Self::DigitalOcean),
            "bare" => Ok(Self::Bare),
            other => Err(UnknownProvider(other.to_owned())),
        }
    }
}

impl Provider {
    /// Where the text is pasted.
    fn place(self) -> &'static str {
        match self {
            Self::Azure => "`az vm create --custom-data FILE`, or Advanced > Custom data in the portal",
            Self::Aws => {
                "`aws ec2 run-instances --user-data file://FILE`, or Advanced details > User data in the console"
            }
            Self::Gcp => "`gcloud compute instances create --metadata-from-file user-data=FILE`",
            Self::DigitalOcean => "`doctl compute droplet create --user-data-file FILE`, or Add Initialization scripts",
            Self::Bare => "the file user-data of a NoCloud data source",
        }
    }
}

/// The text. It holds the token that lets a machine join: it is a secret for as long as the token is good.
#[must_use]
pub fn join_config(provider: Provider, joining: &Joining, labels: &BTreeMap<String, String>) -> String {
    let Joining { token, manager, until } = joining;
    let (token, labels) = (token.reveal(), labels_entry(labels));
    let mut text = String::new();
    let _ = write!(
        text,
        "#cloud-config
# Makes a node of a fresh Debian or Ubuntu machine. Give it to {}.
# It lets whoever has it join until {until}.
# Between the machines these ports must be open: TCP 2377, 7946, 7052, 7053; UDP 7946, 4789.
# From users: TCP 80, 443, 7080, 7022, 7051.
package_update: true
packages:
  - docker.io
  - iproute2
write_files:
{labels}  - path: /usr/local/sbin/ambo-join
    permissions: '0700'
    content: |
      #!/bin/sh
      set -eu
      address=$(ip route get {manager} | sed -n 's/.* src \\([^ ]*\\).*/\\1/p' | head -n 1)
      until docker info >/dev/null 2>&1; do sleep 1; done
      state=$(docker info --format '{{{{.Swarm.LocalNodeState}}}}')
      [ \"$state\" = active ] || docker swarm join --advertise-addr \"$address\" --token {token} {manager}:2377
runcmd:
  - [systemctl, enable, --now, docker]
  - [/usr/local/sbin/ambo-join]
  - [rm, -f, /usr/local/sbin/ambo-join]
",
        provider.place()
    );
    text
}

/// The file with the machine's labels, if it has any.
fn labels_entry(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let lines: String = labels_text(labels).lines().map(|line| format!("      {line}\n")).collect();
    format!("  - path: {DATA}/{LABELS_FILE}\n    permissions: '0600'\n    content: |\n{lines}")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use ambo_model::Secret;

    use super::*;

    const PROVIDERS: [&str; 5] = ["azure", "aws", "gcp", "digitalocean", "bare"];

    fn joining() -> Joining {
        Joining {
            token: Secret::new("SWMTKN-1-abc".to_owned()),
            manager: "10.0.0.1".parse().unwrap(),
            until: "2026-01-01T01:00:00Z".parse().unwrap(),
        }
    }

    /// What cloud-init itself says of a text.
    fn cloud_init_says(text: &str) -> String {
        let mut schema = Command::new("cloud-init");
        schema.args(["schema", "--config-file", "/dev/stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let schema = schema.stderr(Stdio::piped()).spawn();
        let mut schema = schema.expect("no `cloud-init`: install it with `dev/packages.sh cloud-init`");
        schema.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let said = schema.wait_with_output().unwrap();
        String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned()
    }

    #[test]
    fn cloud_init_finds_nothing_wrong_with_it() {
        for name in PROVIDERS {
            for labels in [BTreeMap::new(), [("region".to_owned(), "eu".to_owned())].into()] {
                let said = cloud_init_says(&join_config(name.parse().unwrap(), &joining(), &labels));
                assert!(said.contains("Valid cloud-config"), "{name}: {said}");
            }
        }
        let said = cloud_init_says("#cloud-config\nruncmd: 7\n");
        assert!(!said.contains("Valid cloud-config"), "{said}");
    }

    #[test]
    fn it_joins_with_the_token_and_keeps_it_no_longer_than_it_must() {
        let labels = [("region".to_owned(), "eu".to_owned())].into();
        for name in PROVIDERS {
            let text = join_config(name.parse().unwrap(), &joining(), &labels);
            assert!(text.starts_with("#cloud-config\n"));
            assert!(text.contains("--token SWMTKN-1-abc 10.0.0.1:2377"));
            assert!(text.contains("join until 2026-01-01T01:00:00Z") && text.contains("\n      region=eu\n"));
            assert!(text.contains("[rm, -f, /usr/local/sbin/ambo-join]"));
        }
        assert!("heroku".parse::<Provider>().unwrap_err().to_string().contains("digitalocean"));
    }
}
