//! Where registries can notify this sensor, and which may.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use portolan_shared::events::Sender;
use portolan_shared::model::{RegistryName, limits};
use serde::Deserialize;
use url::Url;

use super::source::Source;
use crate::policy::AddressRange;

/// Registries that may notify one agent: refused above. Of each, something is remembered.
const MAX_REGISTRIES: usize = 100;
/// Ranges that one registry may notify from: refused above.
const MAX_RANGES: usize = 64;
/// What paths begin with on the listener; a public URL without a path means this one.
const PATH: &str = "/notify";

/// The listener for push events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySettings {
    /// An address of this machine, and a port.
    pub listen: SocketAddr,
    /// None only on a loopback address.
    pub tls: Option<NotifyTls>,
    /// What is in front of `/NAME` where registries reach the listener, such as `https://agent.example:5443/notify`. For people at the control
    /// plane: it is shown there and never contacted.
    pub public_url: Option<String>,
    /// Who may notify; each name once.
    pub registries: Vec<NotifyRegistry>,
}

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyTls {
    /// The chain, the listener's own certificate first. PEM.
    pub certificate: PathBuf,
    /// Its key. PEM.
    pub key: PathBuf,
}

/// A registry that may notify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyRegistry {
    /// Its name at the control plane.
    pub name: RegistryName,
    /// In whose format it notifies.
    pub sender: Sender,
    /// Where the secret lies by which it is recognised: one line.
    pub secret_file: PathBuf,
    /// From where it may notify; from anywhere if empty.
    pub from: Vec<AddressRange>,
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notify {
    listen: String,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    public_url: Option<String>,
    #[serde(default)]
    registry: Vec<Registry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    name: String,
    sender: String,
    secret_file: PathBuf,
    #[serde(default)]
    from: Vec<String>,
}

impl NotifySettings {
    /// None if there is no section, or something is wrong with it.
    pub(super) fn read(source: &mut Source<'_>, written: Option<Notify>) -> Option<Self> {
        let written = written?;
        let mut faults = Faults(source);
        let listen = faults.note("listen", address(&written.listen));
        let tls = match (written.certificate, written.key) {
            (Some(certificate), Some(key)) => Some(NotifyTls { certificate, key }),
            (None, None) => {
                if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
                    let without = "only a loopback address may be listened on without `certificate` and `key`: the secrets of registries would \
                                   cross the network in clear";
                    faults.note("listen", Err::<(), _>(without.to_owned()));
                }
                None
            }
            _ => faults.note(
                "certificate",
                Err("`certificate` and `key` go together".to_owned()),
            ),
        };
        let public_url = written
            .public_url
            .and_then(|text| faults.note("public_url", public_url(&text)));
        if !(1..=MAX_REGISTRIES).contains(&written.registry.len()) {
            let expected = format!("expected 1 to {MAX_REGISTRIES} [[notify.registry]]");
            faults.note("registry", Err::<(), _>(expected));
        }
        let mut names = BTreeSet::new();
        let mut registries = Vec::new();
        for (n, written) in (1..).zip(written.registry.into_iter().take(MAX_REGISTRIES)) {
            let registry = registry(&mut faults, n, written);
            if let Some(registry) = &registry
                && !names.insert(registry.name.clone())
            {
                let twice = format!("{} is there twice", registry.name);
                faults.note(&format!("registry[{n}].name"), Err::<(), _>(twice));
            }
            registries.extend(registry);
        }
        Some(Self {
            listen: listen?,
            tls,
            public_url,
            registries,
        })
    }
}

struct Faults<'a, 'b>(&'a mut Source<'b>);

impl Faults<'_, '_> {
    fn note<T>(&mut self, key: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|what| self.0.fault(format!("settings file, key notify.{key}"), what))
            .ok()
    }
}

fn registry(faults: &mut Faults<'_, '_>, n: usize, written: Registry) -> Option<NotifyRegistry> {
    let key = |key: &str| format!("registry[{n}].{key}");
    let name = written.name.parse::<RegistryName>();
    let name = faults.note(&key("name"), name.map_err(|error| error.to_string()));
    let sender = faults.note(&key("sender"), written.sender.parse());
    let from = faults.note(&key("from"), ranges(&written.from));
    Some(NotifyRegistry {
        name: name?,
        sender: sender?,
        secret_file: written.secret_file,
        from: from?,
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an address with a port, such as 0.0.0.0:5443".to_owned())
}

fn ranges(texts: &[String]) -> Result<Vec<AddressRange>, String> {
    if texts.len() > MAX_RANGES {
        return Err(format!("expected at most {MAX_RANGES} ranges"));
    }
    let range = |text: &String| {
        text.parse()
            .map_err(|_| format!("{text:?} is no address and no range such as 10.0.0.0/8"))
    };
    texts.iter().map(range).collect()
}

/// The URL in front of `/NAME`. Credentials in it would be shown to everybody at the control plane.
fn public_url(text: &str) -> Result<String, String> {
    let expected = || "expected a URL such as https://agent.example.com:5443".to_owned();
    if text.len() > limits::HOST_BYTES * 2 {
        return Err(expected());
    }
    let mut url: Url = text.parse().map_err(|_| expected())?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(expected());
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Flags, Settings, SettingsError};
    use super::*;

    fn read(section: &str) -> Result<Option<NotifySettings>, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("agent.toml");
        std::fs::write(&config, section).unwrap();
        let flags = Flags {
            config: Some(config),
            ..Flags::default()
        };
        Settings::read(&flags, &Environment::default()).map(|settings| settings.notify)
    }

    const GITLAB: &str = "[[notify.registry]]\nname = \"gitlab\"\nsender = \"gitlab\"\nsecret_file = \"/s\"\nfrom = [\"10.0.0.0/8\", \"::1\"]\n";

    #[test]
    fn a_section_says_where_and_for_whom() {
        assert_eq!(read("").unwrap(), None);
        let section = format!(
            "[notify]\nlisten = \"0.0.0.0:5443\"\ncertificate = \"/c\"\nkey = \"/k\"\npublic_url = \"https://Agent.example:5443/\"\n{GITLAB}"
        );
        let settings = read(&section).unwrap().unwrap();
        assert_eq!(settings.listen.port(), 5443);
        assert_eq!(settings.tls.unwrap().key, PathBuf::from("/k"));
        assert_eq!(
            settings.public_url.as_deref(),
            Some("https://agent.example:5443/notify")
        );
        let registry = &settings.registries[0];
        assert_eq!(
            (registry.name.as_str(), registry.sender),
            ("gitlab", Sender::GitLab)
        );
        assert!(registry.from[0].contains("10.1.2.3".parse().unwrap()));
        let loopback = format!(
            "[notify]\nlisten = \"[::1]:5080\"\npublic_url = \"http://proxy/portolan/hooks/\"\n{GITLAB}"
        );
        let settings = read(&loopback).unwrap().unwrap();
        assert_eq!(settings.tls, None);
        assert_eq!(
            settings.public_url.as_deref(),
            Some("http://proxy/portolan/hooks")
        );
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let section = format!(
            "[notify]\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://u:hunter2@h\"\n{GITLAB}{GITLAB}\
             [[notify.registry]]\nname = \"A b\"\nsender = \"gitea\"\nsecret_file = \"/s\"\nfrom = [\"ten\"]\n\
             [[notify.registry]]\nname = \"x\"\nsender = \"jenkins\"\nsecret_file = \"/s\"\n"
        );
        let error = read(&section).unwrap_err();
        let faults: Vec<&str> = error
            .0
            .iter()
            .map(|fault| {
                fault
                    .place
                    .strip_prefix("settings file, key notify.")
                    .unwrap_or(&fault.place)
            })
            .collect();
        assert_eq!(
            faults,
            [
                "listen",
                "public_url",
                "registry[2].name",
                "registry[3].name",
                "registry[3].from",
                "registry[4].sender"
            ]
        );
        assert!(!error.to_string().contains("hunter2"));
        let half = format!("[notify]\nlisten = \"0.0.0.0:80\"\nkey = \"/k\"\n{GITLAB}");
        assert!(read(&half).unwrap_err().to_string().contains("go together"));
        let nobody = "[notify]\nlisten = \"127.0.0.1:80\"\n";
        assert!(
            read(nobody)
                .unwrap_err()
                .to_string()
                .contains("[[notify.registry]]")
        );
        let many: String = (0..=MAX_REGISTRIES)
            .map(|n| GITLAB.replace("name = \"gitlab\"", &format!("name = \"r{n}\"")))
            .collect();
        let section = |many: &str| format!("[notify]\nlisten = \"127.0.0.1:80\"\n{many}");
        assert!(read(&section(&many)).is_err());
        let last = GITLAB.replace("name = \"gitlab\"", "name = \"r100\"");
        let as_many = many.strip_suffix(&last);
        let settings = read(&section(as_many.unwrap())).unwrap().unwrap();
        assert_eq!(settings.registries.len(), MAX_REGISTRIES, "at the bound");
        assert!(
            read("[notify]\nlisten = \"127.0.0.1:80\"\nlissten = 1\n")
                .unwrap_err()
                .to_string()
                .contains("line 3")
        );
    }
}
