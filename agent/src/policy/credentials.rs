//! Which credentials a registry may be read with: the control plane names them, the file says which names count.

use std::fmt;
use std::str::FromStr;

use portolan_shared::model::CredentialReference;

/// Credentials of an entry that names none: places where nothing but credentials lies, and variables that are made for it.
pub const DEFAULT_CREDENTIALS: [&str; 6] = [
    "file:/etc/portolan/*",
    "file:/etc/portolan-agent/*",
    "file:/run/secrets/*",
    "file:/run/credentials/**",
    "env:*",
    "docker-config",
];

/// Credential references: one, all files directly in a folder (`file:/folder/*`) or anywhere below it (`file:/folder/**`), or all
/// environment variables (`env:*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialPattern(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Exact(CredentialReference),
    /// With a slash at its end.
    In(String),
    /// With a slash at its end.
    Below(String),
    AnyVariable,
}

impl CredentialPattern {
    /// Whether a reference is among these. A path that is not written plainly is in no folder.
    #[must_use]
    pub fn matches(&self, reference: &CredentialReference) -> bool {
        let (CredentialReference::File(path) | CredentialReference::DockerConfig(Some(path))) = reference
        else {
            return match &self.0 {
                Form::Exact(exact) => exact == reference,
                Form::AnyVariable => matches!(reference, CredentialReference::Environment(_)),
                Form::In(_) | Form::Below(_) => false,
            };
        };
        let in_folder = |folder: &str| match reference {
            CredentialReference::File(path) => path.strip_prefix(folder),
            _ => None,
        };
        is_plain(path)
            && match &self.0 {
                Form::Exact(exact) => exact == reference,
                Form::In(folder) => in_folder(folder).is_some_and(|rest| !rest.contains('/')),
                Form::Below(folder) => in_folder(folder).is_some(),
                Form::AnyVariable => false,
            }
    }
}

/// Absolute, without empty components, `.` and `..`.
fn is_plain(path: &str) -> bool {
    path.strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

impl FromStr for CredentialPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "env:*" {
            return Ok(Self(Form::AnyVariable));
        }
        let reference: CredentialReference = text.parse()?;
        let (CredentialReference::File(path) | CredentialReference::DockerConfig(Some(path))) = &reference
        else {
            return Ok(Self(Form::Exact(reference)));
        };
        let folder = |stars: &str| {
            let folder = path.strip_suffix(stars)?.strip_suffix('/')?;
            matches!(reference, CredentialReference::File(_)).then_some(folder)
        };
        let (plain, form) = match (folder("**"), folder("*")) {
            (Some(folder), _) => (folder, Form::Below(format!("{folder}/"))),
            (None, Some(folder)) => (folder, Form::In(format!("{folder}/"))),
            (None, None) => (path.as_str(), Form::Exact(reference.clone())),
        };
        if plain.contains('*') {
            return Err(
                "a star stands for the last component of a file's path only: file:/FOLDER/*".to_owned(),
            );
        }
        if !is_plain(plain) {
            return Err("a credential's path is absolute, without . and .. and below a folder".to_owned());
        }
        Ok(Self(form))
    }
}

impl fmt::Display for CredentialPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Exact(reference) => reference.fmt(f),
            Form::In(folder) => write!(f, "file:{folder}*"),
            Form::Below(folder) => write!(f, "file:{folder}**"),
            Form::AnyVariable => f.write_str("env:*"),
        }
    }
}

/// The patterns of [`DEFAULT_CREDENTIALS`].
pub(super) fn default_credentials() -> Vec<CredentialPattern> {
    DEFAULT_CREDENTIALS
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn has(patterns: &[CredentialPattern], reference: &str) -> bool {
        let reference = reference.parse().unwrap();
        patterns.iter().any(|pattern| pattern.matches(&reference))
    }

    #[test]
    fn the_default_has_places_for_credentials_and_nothing_else() {
        let default = default_credentials();
        let texts: Vec<String> = default.iter().map(ToString::to_string).collect();
        assert_eq!(texts, DEFAULT_CREDENTIALS);
        for good in [
            "file:/etc/portolan/gitlab",
            "file:/etc/portolan-agent/gitlab",
            "file:/run/secrets/gitlab",
            "file:/run/credentials/portolan-agent.service/gitlab",
            "env:GITLAB",
            "docker-config",
        ] {
            assert!(has(&default, good), "{good}");
        }
        for bad in [
            "file:/etc/shadow",
            "file:/etc/portolan/../shadow",
            "file:/etc/portolan/./gitlab",
            "file:/etc/portolan//gitlab",
            "file:/etc/portolan/",
            "file:/etc/portolan/sub/gitlab",
            "file:/etc/portolanx/gitlab",
            "file:/run/credentials/../../etc/shadow",
            "file:/var/lib/portolan-agent/identity.key",
            "docker-config:/etc/portolan/config.json",
            "docker-config:/root/.docker/config.json",
        ] {
            assert!(!has(&default, bad), "{bad}");
        }
    }

    #[test]
    fn patterns_have_the_references_they_say() {
        let one = |text: &str| vec![text.parse::<CredentialPattern>().unwrap()];
        assert!(has(&one("file:/opt/login"), "file:/opt/login"));
        assert!(!has(&one("file:/opt/login"), "file:/opt/login2"));
        assert!(has(&one("file:/opt/*"), "file:/opt/login") && !has(&one("file:/opt/*"), "file:/opt/a/b"));
        assert!(has(&one("env:A"), "env:A") && !has(&one("env:A"), "env:B"));
        assert!(has(&one("docker-config:/a/b"), "docker-config:/a/b"));
        assert!(!has(&one("docker-config"), "docker-config:/a/b"));
        for bad in [
            "file:/*",
            "file:/**",
            "file:/a*",
            "file:/*/b",
            "file:/a/../b",
            "file:/a/../*",
            "docker-config:/a/*",
            "vault:x",
            "file:x",
            "",
        ] {
            assert!(bad.parse::<CredentialPattern>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_out_of_its_folder(rest in "[a.*/]{0,8}") {
            let reference: CredentialReference = format!("file:/opt/x/{rest}").parse().unwrap();
            let pattern: CredentialPattern = "file:/opt/x/*".parse().unwrap();
            let plain = !rest.is_empty() && !rest.contains('/') && rest != "." && rest != "..";
            prop_assert_eq!(pattern.matches(&reference), plain);
            if let Ok(read) = format!("file:/{rest}").parse::<CredentialPattern>() {
                prop_assert_eq!(read.to_string().parse::<CredentialPattern>().unwrap(), read);
            }
        }
    }
}
