//! Names of credentials that a sensor resolves by itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::limits;

/// Names a credential that the sensor resolves by itself; holds no secret.
///
/// `file:PATH`, `env:PREFIX`, `docker-config[:PATH]`, `systemd:NAME`, `kubernetes:PATH` or `command:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CredentialReference {
    /// A file on the sensor with one line, `username:secret`.
    File(String),
    /// The sensor's environment variables `PREFIX_USERNAME` and `PREFIX_SECRET`.
    Environment(String),
    /// A docker `config.json` on the sensor, with its credential helpers; at the usual place if no path is given.
    DockerConfig(Option<String>),
    /// A credential of this name that systemd gave to the agent's unit (`LoadCredential=`): one line, `username:secret`.
    Systemd(String),
    /// A folder that a Kubernetes secret is mounted at: of the type `kubernetes.io/basic-auth` (the keys `username` and `password`) or
    /// `kubernetes.io/dockerconfigjson` (the key `.dockerconfigjson`).
    Kubernetes(String),
    /// What a program answers that the sensor's policy has under this name. What is run, and how, is the policy's to say.
    Command(String),
}

/// Bytes of the name of a systemd credential or of a command: refused above.
const NAME_BYTES: usize = 128;

const EXPECTED: &str = "not a credential reference: expected file:PATH, env:PREFIX, docker-config[:PATH], systemd:NAME, \
                        kubernetes:PATH or command:NAME";

impl FromStr for CredentialReference {
    type Err = String;

    // The text is not repeated in any error: somebody may have typed the secret itself.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > limits::LABEL_VALUE_BYTES || text.chars().any(char::is_control) {
            return Err(EXPECTED.to_owned());
        }
        if text == "docker-config" {
            return Ok(Self::DockerConfig(None));
        }
        let (kind, rest) = text.split_once(':').ok_or(EXPECTED)?;
        let absolute = rest.starts_with('/');
        match kind {
            "file" if absolute => Ok(Self::File(rest.to_owned())),
            "file" => Err("a credential file is named by its absolute path".to_owned()),
            "env" if is_variable(rest) => Ok(Self::Environment(rest.to_owned())),
            "docker-config" if absolute => Ok(Self::DockerConfig(Some(rest.to_owned()))),
            "systemd" if is_name(rest) => Ok(Self::Systemd(rest.to_owned())),
            "systemd" => Err(format!("a systemd credential is named by {NAME}")),
            "kubernetes" if absolute => Ok(Self::Kubernetes(rest.to_owned())),
            "kubernetes" => Err(
                "a Kubernetes secret is named by the absolute path of the folder it is mounted at".to_owned(),
            ),
            "command" if is_name(rest) => Ok(Self::Command(rest.to_owned())),
            "command" => Err(format!(
                "a command is named as in the sensor's policy, by {NAME}; the program itself stands there"
            )),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

const NAME: &str = "letters, digits, '-', '_' and '.', beginning with a letter or digit";

impl CredentialReference {
    /// Whether a text can name a systemd credential or a command: 1 to 128 ASCII letters, digits, `-`, `_` and `.`, beginning with a
    /// letter or digit. Such a name leads out of no folder.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        is_name(text)
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl TryFrom<String> for CredentialReference {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CredentialReference> for String {
    fn from(reference: CredentialReference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for CredentialReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{path}"),
            Self::Environment(prefix) => write!(f, "env:{prefix}"),
            Self::DockerConfig(None) => f.write_str("docker-config"),
            Self::DockerConfig(Some(path)) => write!(f, "docker-config:{path}"),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
            Self::Kubernetes(path) => write!(f, "kubernetes:{path}"),
            Self::Command(name) => write!(f, "command:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn credential_references_never_repeat_a_mistyped_secret() {
        for secret in [
            "reader:glpat-AAAAAAAAAAAAAAAAAAAA",
            "file:glpat-AAAAAAAAAAAAAAAAAAAA",
            "systemd:glpat/AAAAAAAAAAAAAAAAAAAA",
            "command:glpat AAAAAAAAAAAAAAAAAAAA",
            "kubernetes:glpat-AAAAAAAAAAAAAAAAAAAA",
        ] {
            let error = secret.parse::<CredentialReference>().unwrap_err();
            assert!(!error.contains("glpat"), "{error}");
        }
    }

    #[test]
    fn references_read_back_as_they_were_written() {
        for good in [
            "file:/etc/portolan/gitlab",
            "env:GITLAB",
            "env:_A1",
            "docker-config",
            "docker-config:/root/.docker/config.json",
            "systemd:gitlab",
            "systemd:gitlab.login_2-x",
            "kubernetes:/etc/portolan/gitlab",
            "command:vault-gitlab",
        ] {
            assert_eq!(good.parse::<CredentialReference>().unwrap().to_string(), good);
        }
        let long = format!("systemd:{}", "a".repeat(NAME_BYTES));
        assert!(long.parse::<CredentialReference>().is_ok());
        for bad in [
            "file:relative",
            "env:",
            "env:1A",
            "env:A B",
            "vault:x",
            "",
            "docker-config:x",
            "systemd:",
            "systemd",
            "systemd:../identity.key",
            "systemd:a/b",
            "systemd:.hidden",
            "systemd:..",
            "kubernetes:secret",
            "command:/usr/bin/vault",
            "command:a b",
            "command:-rf",
            "command:",
            &format!("{long}a"),
        ] {
            assert!(bad.parse::<CredentialReference>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "(file|env|docker-config|systemd|kubernetes|command)?:?\\PC{0,80}") {
            if let Ok(read) = text.parse::<CredentialReference>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}
