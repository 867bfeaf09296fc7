//! Docker's `config.json` and Podman's `auth.json`: which entry, or which helper, is for a registry.

use std::collections::BTreeMap;
use std::path::PathBuf;

use portolan_shared::model::RegistryUrl;
use portolan_shared::secret::Secret;
use serde::Deserialize;

use super::credential::Credential;
use super::source::Environment;

/// Names that all mean Docker Hub, and the key it is filed under.
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Where the file is looked for when no path is given, in the order of the container tools: `$REGISTRY_AUTH_FILE`, then Podman's
/// places, then Docker's.
pub(super) fn usual_places(environment: &Environment) -> Vec<PathBuf> {
    let below = |variable: &str, rest: &str| {
        environment
            .get(variable)
            .map(|folder| PathBuf::from(folder).join(rest))
    };
    if let Some(file) = environment.get("REGISTRY_AUTH_FILE") {
        return vec![file.into()];
    }
    [
        below("XDG_RUNTIME_DIR", "containers/auth.json"),
        below("XDG_CONFIG_HOME", "containers/auth.json")
            .or_else(|| below("HOME", ".config/containers/auth.json")),
        below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// What the configuration says about a registry.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Entry(Credential),
    Helper { name: String, server: String },
    Nothing,
}

impl DockerConfig {
    pub(super) fn read(json: &[u8]) -> Result<Self, &'static str> {
        serde_json::from_slice(json).map_err(|_| "is not a docker configuration in JSON")
    }

    /// A helper for this host wins, then an entry that holds something, then the default helper.
    pub(super) fn find(&self, registry: &RegistryUrl) -> Result<Found, &'static str> {
        let is_for = |key: &&String| names(key, registry);
        if let Some((server, name)) = self.cred_helpers.iter().find(|(key, _)| is_for(key)) {
            return Ok(Found::Helper {
                name: name.clone(),
                server: server.clone(),
            });
        }
        let entry = self.auths.iter().find(|(key, _)| is_for(key));
        if let Some((_, entry)) = entry
            && let Some(credential) = entry.credential()?
        {
            return Ok(Found::Entry(credential));
        }
        let Some(name) = self.creds_store.as_ref().filter(|name| !name.is_empty()) else {
            return Ok(Found::Nothing);
        };
        let server = match entry {
            Some((key, _)) => key.clone(),
            None if HUB.contains(&registry.host()) => HUB_KEY.to_owned(),
            None => registry.reference_host(),
        };
        Ok(Found::Helper {
            name: name.clone(),
            server,
        })
    }
}

/// Whether a key, such as `host`, `host:port` or `https://host/v1/`, names the registry. Podman's keys with a path are for parts of a
/// registry and do not count.
fn names(key: &str, registry: &RegistryUrl) -> bool {
    let key = key.trim().to_ascii_lowercase();
    let plain = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(&key);
    let plain = plain.trim_end_matches('/');
    let plain = plain
        .strip_suffix("/v1")
        .or_else(|| plain.strip_suffix("/v2"))
        .unwrap_or(plain);
    plain == registry.reference_host()
        || plain == registry.authority()
        || (HUB.contains(&plain) && HUB.contains(&registry.host()))
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(Secret::new(token))));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(Secret::new(token))));
        }
        if let Some(auth) = given(&self.auth) {
            let (username, secret) =
                decode(&auth).ok_or("has an auth member that is not base64 of username:secret")?;
            return Ok(Some(Credential::Login {
                username,
                secret: Secret::new(secret),
            }));
        }
        Ok(match (given(&self.username), given(&self.password)) {
            (Some(username), Some(password)) => Some(Credential::Login {
                username,
                secret: Secret::new(password),
            }),
            _ => None,
        })
    }
}

/// Base64 with or without padding; split at the first colon; a NUL or a line end behind it does not belong to it.
fn decode(auth: &str) -> Option<(String, String)> {
    let plain = auth.trim().trim_end_matches('=');
    let bytes = data_encoding::BASE64_NOPAD.decode(plain.as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, secret) = text.trim_end_matches(['\0', '\n', '\r']).split_once(':')?;
    Some((username.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(json: &str, registry: &str) -> Result<Found, &'static str> {
        DockerConfig::read(json.as_bytes())
            .unwrap()
            .find(&registry.parse().unwrap())
    }

    fn login(username: &str, secret: &str) -> Result<Found, &'static str> {
        Ok(Found::Entry(Credential::Login {
            username: username.into(),
            secret: Secret::new(secret.into()),
        }))
    }

    #[test]
    fn finds_entries_under_every_spelling_of_the_key() {
        // "reader:s3:cret", without padding and with a line end.
        for key in [
            "r.example.com:5050",
            "https://r.example.com:5050",
            "https://R.example.com:5050/v1/",
            "r.example.com:5050/v2",
        ] {
            let json = format!(r#"{{"auths":{{"other":{{}},"{key}":{{"auth":"cmVhZGVyOnMzOmNyZXQK"}}}}}}"#);
            assert_eq!(
                find(&json, "https://r.example.com:5050"),
                login("reader", "s3:cret"),
                "{key}"
            );
        }
        let json = r#"{"auths":{"r.example.com":{"username":"a","password":"b"}}}"#;
        assert_eq!(find(json, "https://r.example.com"), login("a", "b"));
        assert_eq!(find(json, "https://r.example.com:5050"), Ok(Found::Nothing));
        assert_eq!(find(json, "https://x.r.example.com"), Ok(Found::Nothing));
        let hub = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"}}}"#;
        assert_eq!(find(hub, "https://registry-1.docker.io"), login("a", "b"));
        let podman = r#"{"auths":{"r.example.com/team":{"auth":"YTpi"}}}"#;
        assert_eq!(find(podman, "https://r.example.com"), Ok(Found::Nothing));
    }

    #[test]
    fn knows_tokens_and_helpers() {
        let json = r#"{"auths":{"r":{"identitytoken":"t"},"s":{"registrytoken":"t","auth":"YTpi"},"e":{}},
            "credHelpers":{"h":"ecr-login"},"credsStore":"pass","extra":1}"#;
        let secret = || Secret::new("t".into());
        assert_eq!(
            find(json, "r"),
            Ok(Found::Entry(Credential::IdentityToken(secret())))
        );
        assert_eq!(
            find(json, "s"),
            Ok(Found::Entry(Credential::RegistryToken(secret())))
        );
        let helper = |name: &str, server: &str| {
            Ok(Found::Helper {
                name: name.into(),
                server: server.into(),
            })
        };
        assert_eq!(find(json, "h"), helper("ecr-login", "h"));
        assert_eq!(
            find(json, "e"),
            helper("pass", "e"),
            "an empty entry only says that the helper holds it"
        );
        assert_eq!(find(json, "docker.io"), helper("pass", HUB_KEY));
        assert!(find(r#"{"auths":{"r":{"auth":"%%"}}}"#, "r").is_err());
        assert!(DockerConfig::read(b"[]").is_err());
    }

    #[test]
    fn looks_in_the_usual_places() {
        let environment = Environment::new([
            ("HOME".to_owned(), "/h".to_owned()),
            ("XDG_RUNTIME_DIR".to_owned(), "/run/u".to_owned()),
            ("DOCKER_CONFIG".to_owned(), String::new()),
        ]);
        let places: Vec<_> = usual_places(&environment)
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        assert_eq!(
            places,
            [
                "/run/u/containers/auth.json",
                "/h/.config/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
        assert!(usual_places(&Environment::default()).is_empty());
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,60}") {
            let _ = DockerConfig::read(text.as_bytes());
            let _ = decode(&text);
        }
    }
}
