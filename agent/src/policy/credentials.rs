//! Which credentials a registry may be read with: the control plane names them, the file says which names count.

use std::fmt;
use std::str::FromStr;

use portolan_shared::model::CredentialReference;

/// Credentials of an entry that names none: places where nothing but credentials lies, and variables that are made for it. Commands are
/// not among them: what may be run for a registry is said with the registry.
pub const DEFAULT_CREDENTIALS: [&str; 10] = [
    "file:/etc/portolan/*",
    "file:/etc/portolan-agent/*",
    "file:/run/secrets/*",
    "file:/run/credentials/**",
    "env:*",
    "docker-config",
    "systemd:*",
    "kubernetes:/etc/portolan/*",
    "kubernetes:/etc/portolan-agent/*",
    "kubernetes:/run/secrets/*",
];

/// Credential references: one, all files or mounted secrets directly in a folder (`file:/folder/*`, `kubernetes:/folder/*`) or anywhere
/// below it (`file:/folder/**`), all environment variables (`env:*`), or everything that systemd gave to the unit (`systemd:*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialPattern(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Exact(CredentialReference),
    /// The folder with a slash at its end.
    In(Kind, String),
    /// The folder with a slash at its end.
    Below(Kind, String),
    AnyVariable,
    AnyOfSystemd,
}

/// What can lie in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Kubernetes,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// The path of a reference, and as what it can lie in a folder. A docker configuration is named by itself alone.
fn path_of(reference: &CredentialReference) -> Option<(&str, Option<Kind>)> {
    match reference {
        CredentialReference::File(path) => Some((path, Some(Kind::File))),
        CredentialReference::Kubernetes(path) => Some((path, Some(Kind::Kubernetes))),
        CredentialReference::DockerConfig(Some(path)) => Some((path, None)),
        CredentialReference::DockerConfig(None)
        | CredentialReference::Environment(_)
        | CredentialReference::Systemd(_)
        | CredentialReference::Command(_) => None,
    }
}

impl CredentialPattern {
    /// Whether a reference is among these. A path that is not written plainly is in no folder.
    #[must_use]
    pub fn matches(&self, reference: &CredentialReference) -> bool {
        let path = path_of(reference);
        if path.is_some_and(|(path, _)| !is_plain(path)) {
            return false;
        }
        let below = |kind: Kind, folder: &str| match path {
            Some((path, Some(other))) if other == kind => path.strip_prefix(folder),
            _ => None,
        };
        match &self.0 {
            Form::Exact(exact) => exact == reference,
            Form::In(kind, folder) => below(*kind, folder).is_some_and(|rest| !rest.contains('/')),
            Form::Below(kind, folder) => below(*kind, folder).is_some(),
            Form::AnyVariable => matches!(reference, CredentialReference::Environment(_)),
            Form::AnyOfSystemd => matches!(reference, CredentialReference::Systemd(_)),
        }
    }
}

impl CredentialPattern {
    /// What is among these and among the others as well; `None` if there is nothing.
    pub(super) fn shared_with<'a>(&'a self, other: &'a Self) -> Option<&'a Self> {
        if other.is_within(self) {
            Some(other)
        } else {
            self.is_within(other).then_some(self)
        }
    }

    /// Whether all of these are among the others. Patterns are equal, within each other, or apart.
    fn is_within(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Exact(reference), _) => other.matches(reference),
            (Form::In(kind, folder) | Form::Below(kind, folder), Form::Below(outer_kind, outer)) => {
                kind == outer_kind && folder.starts_with(outer.as_str())
            }
            (form, outer) => form == outer,
        }
    }

    /// The command that it names.
    pub(super) fn command(&self) -> Option<&str> {
        match &self.0 {
            Form::Exact(CredentialReference::Command(name)) => Some(name),
            _ => None,
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
        match text {
            "env:*" => return Ok(Self(Form::AnyVariable)),
            "systemd:*" => return Ok(Self(Form::AnyOfSystemd)),
            _ => {}
        }
        let reference: CredentialReference = text.parse()?;
        let Some((path, kind)) = path_of(&reference) else {
            return Ok(Self(Form::Exact(reference)));
        };
        let folder = |stars: &str| Some((kind?, path.strip_suffix(stars)?.strip_suffix('/')?));
        let (plain, form) = match (folder("**"), folder("*")) {
            (Some((kind, folder)), _) => (folder, Form::Below(kind, format!("{folder}/"))),
            (None, Some((kind, folder))) => (folder, Form::In(kind, format!("{folder}/"))),
            (None, None) => (path, Form::Exact(reference.clone())),
        };
        if plain.contains('*') {
            return Err(
                "a star stands for the last component of a path only: file:/FOLDER/* or kubernetes:/FOLDER/*"
                    .to_owned(),
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
            Form::In(kind, folder) => write!(f, "{}:{folder}*", kind.word()),
            Form::Below(kind, folder) => write!(f, "{}:{folder}**", kind.word()),
            Form::AnyVariable => f.write_str("env:*"),
            Form::AnyOfSystemd => f.write_str("systemd:*"),
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
            "systemd:gitlab",
            "kubernetes:/etc/portolan/gitlab",
            "kubernetes:/run/secrets/gitlab",
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
            "kubernetes:/etc/portolan/../shadow",
            "kubernetes:/etc/portolan/a/b",
            "kubernetes:/run/credentials/x",
            "kubernetes:/run/secrets/kubernetes.io/serviceaccount",
            "command:vault",
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
        assert!(has(&one("command:vault"), "command:vault") && !has(&one("command:vault"), "command:other"));
        assert!(has(&one("systemd:a"), "systemd:a") && !has(&one("systemd:a"), "systemd:b"));
        assert!(
            !has(&one("file:/opt/*"), "kubernetes:/opt/a") && !has(&one("kubernetes:/opt/*"), "file:/opt/a")
        );
        assert!(has(&one("kubernetes:/opt/**"), "kubernetes:/opt/a/b"));
        for bad in [
            "file:/*",
            "file:/**",
            "file:/a*",
            "file:/*/b",
            "file:/a/../b",
            "file:/a/../*",
            "docker-config:/a/*",
            "kubernetes:/*",
            "command:*",
            "systemd:a*",
            "vault:x",
            "file:x",
            "",
        ] {
            assert!(bad.parse::<CredentialPattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_share_what_is_in_both() {
        let pattern = |text: &str| text.parse::<CredentialPattern>().unwrap();
        for (one, other, shared) in [
            ("file:/a/*", "file:/a/*", Some("file:/a/*")),
            ("file:/a/*", "file:/a/login", Some("file:/a/login")),
            ("file:/a/**", "file:/a/*", Some("file:/a/*")),
            ("file:/a/**", "file:/a/b/*", Some("file:/a/b/*")),
            ("file:/a/b/**", "file:/a/**", Some("file:/a/b/**")),
            ("file:/a/*", "file:/a/b/**", None),
            ("file:/a/*", "file:/a/b/c", None),
            ("file:/a/*", "file:/b/*", None),
            ("file:/a/*", "kubernetes:/a/*", None),
            ("env:*", "env:GITLAB", Some("env:GITLAB")),
            ("env:*", "systemd:*", None),
            ("systemd:*", "systemd:gitlab", Some("systemd:gitlab")),
            ("docker-config", "docker-config", Some("docker-config")),
            ("docker-config", "docker-config:/a/b", None),
            ("command:a", "command:b", None),
        ] {
            let (one, other) = (pattern(one), pattern(other));
            let shared = shared.map(pattern);
            assert_eq!(one.shared_with(&other), shared.as_ref(), "{one} and {other}");
            assert_eq!(other.shared_with(&one), shared.as_ref(), "{other} and {one}");
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
