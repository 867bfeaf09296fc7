//! The first policy, from what the administrator allowed on the command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use portolan_shared::process::{FileError, create_private_dir, write_atomically};

use super::credentials::{CredentialPattern, DEFAULT_CREDENTIALS};
use super::host::{HostPattern, HostPort};

/// `HOST[:PORT]` of a registry, https unless `http://` stands in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    host: HostPattern,
    port: u16,
    plaintext: bool,
}

/// A first policy could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AllowanceError {
    /// There is one already.
    #[error("{} exists and was left as it is: add to it by hand what --allow, --realm, --storage and --credential should have allowed", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("the policy cannot be written")]
    File(#[source] FileError),
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (plaintext, rest) = match text.split_once("://") {
            Some(("https", rest)) => (false, rest),
            Some(("http", rest)) => (true, rest),
            Some(_) => return Err(format!("{text:?} is not HOST[:PORT]")),
            None => (false, text),
        };
        let HostPort { host, port } = rest.trim_end_matches('/').parse()?;
        Ok(Self {
            host,
            port: port.unwrap_or(if plaintext { 80 } else { 443 }),
            plaintext,
        })
    }
}

/// What the administrator allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// These registries.
    pub registries: Vec<Allowance>,
    /// For each of them: token services on other hosts that get its credential.
    pub realms: Vec<HostPort>,
    /// For each of them: other hosts that its downloads may come from.
    pub storage: Vec<HostPort>,
    /// For each of them: credentials that the control plane may name, beside [`DEFAULT_CREDENTIALS`].
    pub credentials: Vec<CredentialPattern>,
}

/// A policy that allows these registries and what they resolve to, private addresses included: naming a host on the command line of
/// the machine itself is its administrator's word.
#[must_use]
pub fn first_policy(allowed: &Allowed) -> String {
    let mut text = String::from(
        "# What this Portolan agent may do, whoever asks. It is read at start and on SIGHUP; check it with\n\
         # `portolan-agent policy check`. What is not allowed here is refused.\nversion = 1\n",
    );
    for Allowance {
        host,
        port,
        plaintext,
    } in &allowed.registries
    {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "\n[[allow]]\nhost = \"{host}\"\nports = [{port}]\naddresses = [\"public\", \"private\"]\n"
        );
        for (key, hosts) in [("realms", &allowed.realms), ("storage", &allowed.storage)] {
            if !hosts.is_empty() {
                let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
                let _ = writeln!(text, "{key} = [{}]", hosts.join(", "));
            }
        }
        if !allowed.credentials.is_empty() {
            let given = allowed.credentials.iter().map(ToString::to_string);
            // References hold no control characters.
            let quoted = |text: String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let all: Vec<String> = given
                .chain(DEFAULT_CREDENTIALS.map(str::to_owned))
                .map(quoted)
                .collect();
            let _ = writeln!(text, "credentials = [{}]", all.join(", "));
        }
        if *plaintext {
            text.push_str("plaintext = true\n");
        }
    }
    text
}

/// Writes the first policy, unless there is one with other content.
///
/// # Errors
/// [`AllowanceError::Exists`]: the file was left as it is.
pub fn write_first_policy(path: &Path, allowed: &Allowed) -> Result<(), AllowanceError> {
    let text = first_policy(allowed);
    match std::fs::read(path) {
        Ok(there) if there == text.as_bytes() => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Ok(_) | Err(_) => {
            return Err(AllowanceError::Exists {
                path: path.to_owned(),
            });
        }
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_dir(folder).map_err(AllowanceError::File)?;
    }
    write_atomically(path, text.as_bytes()).map_err(AllowanceError::File)
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;
    use super::super::hop::HopPurpose;
    use super::*;

    fn registries(texts: &[&str]) -> Allowed {
        Allowed {
            registries: texts.iter().map(|text| text.parse().unwrap()).collect(),
            ..Allowed::default()
        }
    }

    #[test]
    fn what_was_allowed_is_allowed_and_nothing_else() {
        let allowed = registries(&[
            "gitlab.example.com:5050",
            "http://127.0.0.1:5000",
            "[::1]:5001",
            "*.corp",
        ]);
        let policy = parse(&first_policy(&allowed)).unwrap();
        for good in [
            "https://gitlab.example.com:5050",
            "http://127.0.0.1:5000",
            "https://[::1]:5001",
            "https://h.corp",
        ] {
            policy.allows_registry(&good.parse().unwrap()).unwrap();
        }
        for bad in [
            "https://gitlab.example.com",
            "http://[::1]:5001",
            "https://127.0.0.1",
        ] {
            policy.allows_registry(&bad.parse().unwrap()).unwrap_err();
        }
        let registry = "https://gitlab.example.com:5050".parse().unwrap();
        policy
            .allows_address(&registry, "gitlab.example.com", "10.0.0.1".parse().unwrap())
            .unwrap();
        for (purpose, elsewhere) in [
            (HopPurpose::Realm, "sso.example.com"),
            (HopPurpose::Storage, "s3.example.com"),
        ] {
            for port in [443, 8443] {
                policy
                    .allows_hop(&registry, true, "gitlab.example.com", port, purpose)
                    .unwrap();
            }
            policy
                .allows_hop(&registry, true, elsewhere, 443, purpose)
                .unwrap_err();
        }
        assert!("ftp://h".parse::<Allowance>().is_err() && "h:x".parse::<Allowance>().is_err());
    }

    #[test]
    fn realms_and_storage_hold_for_every_registry_and_for_their_purpose_alone() {
        let allowed = Allowed {
            realms: vec![
                "sso.example.com".parse().unwrap(),
                "[fd00::1]:8443".parse().unwrap(),
            ],
            storage: vec!["*.s3.example.com:9000".parse().unwrap()],
            ..registries(&["gitlab.example.com:5050", "http://10.0.0.5:5000"])
        };
        let policy = parse(&first_policy(&allowed)).unwrap();
        for registry in ["https://gitlab.example.com:5050", "http://10.0.0.5:5000"] {
            let registry = registry.parse().unwrap();
            let may = |host, port, purpose| policy.allows_hop(&registry, true, host, port, purpose).is_ok();
            assert!(
                may("sso.example.com", 443, HopPurpose::Realm)
                    && may("sso.example.com", 8443, HopPurpose::Realm)
            );
            assert!(may("[fd00::1]", 8443, HopPurpose::Realm) && !may("[fd00::1]", 443, HopPurpose::Realm));
            assert!(may("b.s3.example.com", 9000, HopPurpose::Storage));
            assert!(
                !may("b.s3.example.com", 443, HopPurpose::Storage)
                    && !may("s3.example.com", 9000, HopPurpose::Storage)
            );
            assert!(
                !may("sso.example.com", 443, HopPurpose::Storage)
                    && !may("b.s3.example.com", 9000, HopPurpose::Realm)
            );
            assert!(
                policy.names_realm(&registry, "sso.example.com", 443),
                "it gets the credential"
            );
            assert!(!may("sso.example.com", 443, HopPurpose::Registry));
            policy
                .allows_registry(&"https://sso.example.com".parse().unwrap())
                .unwrap_err();
        }
    }

    #[test]
    fn credentials_are_added_to_those_that_are_always_allowed() {
        let registry = "https://h".parse().unwrap();
        let may = |allowed: &Allowed, reference: &str| {
            let policy = parse(&first_policy(allowed)).unwrap();
            policy
                .allows_credential(&registry, &reference.parse().unwrap())
                .is_ok()
        };
        let plain = registries(&["h"]);
        let odd = r#"file:/opt/a "b" \c"#;
        let given = Allowed {
            credentials: vec!["file:/opt/login".parse().unwrap(), odd.parse().unwrap()],
            ..registries(&["h"])
        };
        for reference in ["file:/opt/login", odd] {
            assert!(!may(&plain, reference) && may(&given, reference), "{reference}");
        }
        for reference in DEFAULT_CREDENTIALS.map(|text| text.replace('*', "x")) {
            assert!(may(&plain, &reference) && may(&given, &reference), "{reference}");
        }
        assert!(!may(&given, "file:/etc/shadow"));
        assert!(!may(&given, "file:/opt/other"));
    }

    #[test]
    fn an_existing_policy_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/policy.toml");
        let allowed = registries(&["h"]);
        write_first_policy(&path, &allowed).unwrap();
        write_first_policy(&path, &allowed).unwrap();
        let refused = write_first_policy(&path, &registries(&["other"])).unwrap_err();
        assert!(matches!(refused, AllowanceError::Exists { .. }));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first_policy(&allowed));
    }
}
